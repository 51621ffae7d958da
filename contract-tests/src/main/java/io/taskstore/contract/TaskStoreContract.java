// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

/**
 * What {@link io.taskstore.GenericTaskStore} must be shown to do over a backend. Extend it beside
 * {@link StorageBackendContract}, with the same harness; what is said there about names, skips,
 * known failures, tags and reports holds here too.
 */
public abstract class TaskStoreContract extends TaskSoakStatements {
  /** The statements of which at least a part needs neither a hook nor a trait. */
  private static final int MINIMUM = 20;

  /** Made by the test's framework. */
  protected TaskStoreContract() {}

  @Override
  final Class<?> contract() {
    return TaskStoreContract.class;
  }

  @Override
  final int minimumOfStatements() {
    return MINIMUM;
  }
}
