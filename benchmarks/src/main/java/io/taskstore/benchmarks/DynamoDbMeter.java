// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.util.ArrayList;
import java.util.List;
import software.amazon.awssdk.core.SdkRequest;
import software.amazon.awssdk.core.SdkResponse;
import software.amazon.awssdk.core.interceptor.Context;
import software.amazon.awssdk.core.interceptor.ExecutionAttributes;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;
import software.amazon.awssdk.services.dynamodb.model.ConsumedCapacity;
import software.amazon.awssdk.services.dynamodb.model.DeleteItemRequest;
import software.amazon.awssdk.services.dynamodb.model.DeleteItemResponse;
import software.amazon.awssdk.services.dynamodb.model.GetItemRequest;
import software.amazon.awssdk.services.dynamodb.model.GetItemResponse;
import software.amazon.awssdk.services.dynamodb.model.PutItemRequest;
import software.amazon.awssdk.services.dynamodb.model.PutItemResponse;
import software.amazon.awssdk.services.dynamodb.model.QueryRequest;
import software.amazon.awssdk.services.dynamodb.model.QueryResponse;
import software.amazon.awssdk.services.dynamodb.model.ReturnConsumedCapacity;

/**
 * Has the service report what each request of a client costs, and adds it up. It asks for that
 * itself, so the backend that uses the client is the one that everybody has.
 */
final class DynamoDbMeter implements ExecutionInterceptor {
  private final List<Cost> costs = new ArrayList<>();

  /**
   * What something costs.
   *
   * @param read units of reading: one for 4 KB that are read consistently
   * @param written units of writing: one for 1 KB
   * @param writtenToIndex how many of these are for the index
   */
  record Cost(int requests, double read, double written, double writtenToIndex) {
    static final Cost NOTHING = new Cost(0, 0, 0, 0);

    Cost plus(Cost other) {
      return new Cost(
          requests + other.requests,
          read + other.read,
          written + other.written,
          writtenToIndex + other.writtenToIndex);
    }

    Cost times(int count) {
      return new Cost(requests * count, read * count, written * count, writtenToIndex * count);
    }
  }

  /** What a piece of work costs, all its requests together. */
  synchronized Cost of(Runnable work) {
    costs.clear();
    work.run();
    return costs.stream().reduce(Cost.NOTHING, Cost::plus);
  }

  @Override
  public SdkRequest modifyRequest(Context.ModifyRequest context, ExecutionAttributes attributes) {
    ReturnConsumedCapacity wanted = ReturnConsumedCapacity.INDEXES;
    SdkRequest request = context.request();
    if (request instanceof GetItemRequest get) {
      return get.toBuilder().returnConsumedCapacity(wanted).build();
    }
    if (request instanceof PutItemRequest put) {
      return put.toBuilder().returnConsumedCapacity(wanted).build();
    }
    if (request instanceof DeleteItemRequest delete) {
      return delete.toBuilder().returnConsumedCapacity(wanted).build();
    }
    if (request instanceof QueryRequest query) {
      return query.toBuilder().returnConsumedCapacity(wanted).build();
    }
    return request;
  }

  @Override
  public void afterExecution(Context.AfterExecution context, ExecutionAttributes attributes) {
    SdkResponse response = context.response();
    if (response instanceof GetItemResponse get) {
      costs.add(reading(get.consumedCapacity()));
    } else if (response instanceof QueryResponse query) {
      costs.add(reading(query.consumedCapacity()));
    } else if (response instanceof PutItemResponse put) {
      costs.add(writing(put.consumedCapacity()));
    } else if (response instanceof DeleteItemResponse delete) {
      costs.add(writing(delete.consumedCapacity()));
    }
  }

  /** There is no report of a request that fails, so nothing may fail while it is measured. */
  @Override
  public void onExecutionFailure(Context.FailedExecution context, ExecutionAttributes attributes) {
    costs.add(new Cost(1, Double.NaN, Double.NaN, Double.NaN));
  }

  private static Cost reading(ConsumedCapacity capacity) {
    return new Cost(1, capacity.capacityUnits(), 0, 0);
  }

  private static Cost writing(ConsumedCapacity capacity) {
    double inIndex =
        capacity.localSecondaryIndexes().values().stream()
            .mapToDouble(index -> index.capacityUnits())
            .sum();
    return new Cost(1, 0, capacity.capacityUnits(), inIndex);
  }
}
