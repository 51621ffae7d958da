// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

/**
 * What every {@link io.taskstore.spi.StorageBackend} must be shown to do. Extend it in the tests of
 * a backend, and say in {@link #newHarness} how to open it; that is all:
 *
 * <pre>{@code
 * class MyBackendContractTest extends StorageBackendContract {
 *   private static final BackendTraits TRAITS = new BackendTraits("mine", false, false, false, 1 << 20);
 *
 *   @Override
 *   protected BackendHarness newHarness() {
 *     return BackendHarness.ofSingleInstances(TRAITS, MyBackend::new);
 *   }
 * }
 * }</pre>
 *
 * <p>The name of each test begins with the ids of its statements, which the project's {@code
 * docs/contract.md} lists. A test is skipped only if the traits exclude it or a hook of {@link
 * BackendStorage} is not offered, and says which. Tests cannot be overridden; a statement that is
 * known to fail stands, with its reason, in a file {@code MyBackendContractTest-known-failures.txt}
 * beside the class, and must leave it when it passes again.
 *
 * <p>Tests tagged {@code stress} take minutes, those tagged {@code certification} up to an hour:
 * exclude both tags from everyday builds.
 *
 * <p>Reports are written to {@code target/contract-reports}, or to where the system property or
 * JUnit configuration parameter {@code taskstore.contract.reports} points.
 */
public abstract class StorageBackendContract extends HonestyStatements {
  /** The statements of which at least a part needs neither a hook nor a trait. */
  private static final int MINIMUM = 87;

  /** Made by the test's framework. */
  protected StorageBackendContract() {}

  @Override
  final Class<?> contract() {
    return StorageBackendContract.class;
  }

  @Override
  final int minimumOfStatements() {
    return MINIMUM;
  }
}
