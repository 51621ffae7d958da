// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.contract.ContractRun.Outcome;
import io.taskstore.contract.ContractRun.Result;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.TestExecutionExceptionHandler;
import org.junit.jupiter.api.extension.TestInstancePostProcessor;
import org.junit.jupiter.api.extension.TestWatcher;
import org.opentest4j.TestAbortedException;

/**
 * Records how every test of a contract ended, accepts no way of skipping but {@link
 * ExcludedException}, and writes the report.
 */
final class ContractExtension
    implements TestInstancePostProcessor,
        TestExecutionExceptionHandler,
        TestWatcher,
        AfterAllCallback {
  private static final ExtensionContext.Namespace NAMESPACE =
      ExtensionContext.Namespace.create(ContractExtension.class);

  @Override
  public void postProcessTestInstance(Object instance, ExtensionContext context) {
    ContractBase test = (ContractBase) instance;
    ContractRun run =
        new ContractRun(
            test.contract(), Statements.load(), KnownFailures.of(context.getRequiredTestClass()));
    test.use(run);
    // With one instance a class, this is the context of the class.
    context.getStore(NAMESPACE).put(ContractRun.class, run);
  }

  @Override
  public void handleTestExecutionException(ExtensionContext context, Throwable failure)
      throws Throwable {
    if (failure instanceof ExcludedException) {
      throw failure;
    }
    if (failure instanceof TestAbortedException) {
      throw new AssertionError(
          "A test of the contract may be skipped by traits or for a missing hook only", failure);
    }
    String known = run(context).knownFailure(method(context));
    if (known != null) {
      throw ExcludedException.knownFailure(known, failure);
    }
    throw failure;
  }

  @Override
  public void testSuccessful(ExtensionContext context) {
    add(context, Outcome.PASSED, null);
  }

  @Override
  public void testFailed(ExtensionContext context, @Nullable Throwable cause) {
    add(context, Outcome.FAILED, reason(cause));
  }

  @Override
  public void testAborted(ExtensionContext context, @Nullable Throwable cause) {
    if (cause instanceof ExcludedException excluded) {
      add(
          context,
          excluded.isKnownFailure() ? Outcome.KNOWN_FAILURE : Outcome.EXCLUDED,
          reason(excluded));
    } else {
      run(context)
          .addSkipped(method(context), context.getDisplayName(), "skipped: " + reason(cause));
    }
  }

  @Override
  public void testDisabled(ExtensionContext context, Optional<String> reason) {
    run(context)
        .addSkipped(
            method(context),
            context.getDisplayName(),
            "disabled: " + reason.orElse("no reason given"));
  }

  @Override
  public void afterAll(ExtensionContext context) throws Exception {
    ContractRun run = context.getStore(NAMESPACE).get(ContractRun.class, ContractRun.class);
    if (run != null && context.getRequiredTestInstance() instanceof ContractBase test) {
      test.report().write(context);
    }
  }

  private static ContractRun run(ExtensionContext context) {
    return ((ContractBase) context.getRequiredTestInstance()).run();
  }

  private static void add(ExtensionContext context, Outcome outcome, @Nullable String reason) {
    run(context).add(new Result(method(context), context.getDisplayName(), outcome, reason));
  }

  private static String method(ExtensionContext context) {
    return context.getRequiredTestMethod().getName();
  }

  /** The first line of a failure's message: a report is for an overview, the log has the rest. */
  private static String reason(@Nullable Throwable failure) {
    if (failure == null) {
      return "no reason given";
    }
    String message = failure.getMessage();
    if (message == null || message.isBlank()) {
      return failure.getClass().getSimpleName();
    }
    String line = message.strip().lines().findFirst().orElse("");
    return line.length() <= 300 ? line : line.substring(0, 300) + "…";
  }
}
