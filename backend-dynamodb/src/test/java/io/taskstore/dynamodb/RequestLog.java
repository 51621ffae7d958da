// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import software.amazon.awssdk.core.SdkRequest;
import software.amazon.awssdk.core.interceptor.Context;
import software.amazon.awssdk.core.interceptor.ExecutionAttributes;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;

/** What a client sends, a request as often as it is sent. */
final class RequestLog implements ExecutionInterceptor {
  private final Queue<SdkRequest> sent = new ConcurrentLinkedQueue<>();

  @Override
  public void beforeTransmission(
      Context.BeforeTransmission context, ExecutionAttributes attributes) {
    sent.add(context.request());
  }

  /** Returns what was sent since the last time. */
  List<SdkRequest> take() {
    List<SdkRequest> taken = new ArrayList<>();
    for (SdkRequest each = sent.poll(); each != null; each = sent.poll()) {
      taken.add(each);
    }
    return taken;
  }

  /** As the service calls it: GetItem. */
  static String name(SdkRequest request) {
    return request.getClass().getSimpleName().replaceFirst("Request$", "");
  }
}
