// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import org.opentest4j.TestAbortedException;

/** The only way in which a test of the contract may end without a verdict. */
final class ExcludedException extends TestAbortedException {
  private static final long serialVersionUID = 1L;

  private final boolean knownFailure;

  private ExcludedException(String message, Throwable cause, boolean knownFailure) {
    super(message, cause);
    this.knownFailure = knownFailure;
  }

  private ExcludedException(String message) {
    super(message);
    this.knownFailure = false;
  }

  static ExcludedException byMissing(Hook hook) {
    return new ExcludedException("the harness does not offer " + hook.title());
  }

  static ExcludedException byMissing(BackendStorage.Trouble trouble) {
    return new ExcludedException("the harness's fault injection does not support " + trouble);
  }

  /**
   * @param reason completes "the backend's traits say that it …"
   */
  static ExcludedException byTraits(String reason) {
    return new ExcludedException("the backend's traits say that it " + reason);
  }

  /**
   * @param reason says which default the backend keeps, and why a statement makes no sense with it
   */
  static ExcludedException byDefault(String reason) {
    return new ExcludedException(reason);
  }

  static ExcludedException knownFailure(String reason, Throwable failure) {
    return new ExcludedException("known failure: " + reason, failure, true);
  }

  boolean isKnownFailure() {
    return knownFailure;
  }
}
