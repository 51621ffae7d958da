// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageBackend;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/**
 * What both contracts share: the harness, one storage with two instances for most tests, a fresh
 * partition for each of them, storages of their own for the others, and the closing test.
 */
@ExtendWith(ContractExtension.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(StatementOrder.class)
@Execution(ExecutionMode.SAME_THREAD)
// A backend that hangs fails its test, also if it does not listen to interrupts.
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
abstract class ContractBase {
  /** The test that runs last. */
  static final String CLOSING_TEST = "k4_everyStatement_isExecutedOrExcludedForAReason";

  /** The tag of {@link Stress}. */
  static final String STRESS = "stress";

  /** The tag of {@link Certification}. */
  static final String CERTIFICATION = "certification";

  private final Deque<AutoCloseable> toClose = new ArrayDeque<>();
  private @Nullable ContractRun run;
  private @Nullable BackendHarness harness;
  private @Nullable BackendStorage storage;
  private @Nullable StorageBackend first;
  private @Nullable StorageBackend second;
  private Set<Hook> hooks = EnumSet.noneOf(Hook.class);
  private String partition = "";
  private boolean closingTestRan;

  /** Makes the harness; called once for a test class. */
  protected abstract BackendHarness newHarness() throws Exception;

  /** The contract class that this is a test of. */
  abstract Class<?> contract();

  /** How many statements must be executed at least, whatever is excluded. */
  abstract int minimumOfStatements();

  final void use(ContractRun newRun) {
    this.run = newRun;
  }

  final ContractRun run() {
    return present(run);
  }

  final ContractReport report() {
    BackendHarness used = harness;
    return new ContractReport(
        used == null ? getClass().getSimpleName() : used.name(),
        used == null ? new BackendTraits("unknown", false, false, false, 1) : used.traits(),
        hooks,
        used == null ? Map.of() : used.versions(),
        run(),
        closingTestRan);
  }

  @BeforeAll
  @Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  final void openStorage() throws Exception {
    harness = newHarness();
    BackendStorage opened = harness.newStorage();
    storage = opened;
    first = opened.open();
    second = opened.open();
    hooks = Hook.offeredBy(opened);
  }

  @AfterAll
  @Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  final void closeStorage() throws Exception {
    List<AutoCloseable> parts = new ArrayList<>();
    add(parts, second);
    add(parts, first);
    add(parts, storage);
    add(parts, harness);
    closeAll(parts);
  }

  @BeforeEach
  final void makePartition(TestInfo test) {
    String name = test.getTestMethod().map(method -> method.getName()).orElse("test");
    partition = name.substring(0, Math.min(name.length(), 40)) + "-" + UUID.randomUUID();
  }

  @AfterEach
  @Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  final void closeWhatTheTestOpened() throws Exception {
    List<AutoCloseable> parts = new ArrayList<>();
    synchronized (toClose) {
      while (!toClose.isEmpty()) {
        parts.add(toClose.pop());
      }
    }
    closeAll(parts);
  }

  @Test
  final void k4_everyStatement_isExecutedOrExcludedForAReason() {
    closingTestRan = true;
    assertThat(run().problems(minimumOfStatements(), CLOSING_TEST))
        .as("problems of the run as a whole")
        .isEmpty();
  }

  // --- what tests use -----------------------------------------------------------------------

  /** An instance on the storage that most tests share. */
  final StorageBackend backend() {
    return present(first);
  }

  /** Another instance on the same storage; the same object where the backend is not shared. */
  final StorageBackend other() {
    return present(second);
  }

  /** The storage that most tests share. */
  final BackendStorage storage() {
    return present(storage);
  }

  final BackendHarness harness() {
    return present(harness);
  }

  /** What the backend is held to. */
  final BackendTraits traits() {
    return harness().traits();
  }

  /** A partition that no other test uses. */
  final String partition() {
    return partition;
  }

  /** A key in the partition of this test. */
  final RecordKey key(String id) {
    return new RecordKey(partition, id);
  }

  /** A storage for this test alone, closed after it. Ask {@link #open} for its instances. */
  final BackendStorage newStorage() throws Exception {
    return closeLater(harness().newStorage());
  }

  /** Opens an instance that is closed after the test, before its storage is. */
  final StorageBackend open(BackendStorage on) {
    return closeLater(on.open());
  }

  /** Closes something after the test, in reverse order; closing must be repeatable. */
  final <T extends AutoCloseable> T closeLater(T closeable) {
    synchronized (toClose) {
      toClose.push(closeable);
    }
    return closeable;
  }

  /** The offered hook, or the end of the test. */
  static <T> T require(Hook hook, Optional<T> offered) {
    return offered.orElseThrow(() -> ExcludedException.byMissing(hook));
  }

  /** Ends the test unless storages can be opened again. */
  final void requireReopening() {
    if (!storage().reopens()) {
      throw ExcludedException.byMissing(Hook.REOPENING);
    }
  }

  private static void add(List<AutoCloseable> parts, @Nullable AutoCloseable part) {
    if (part != null) {
      parts.add(part);
    }
  }

  private static void closeAll(List<AutoCloseable> parts) throws Exception {
    Exception failure = null;
    for (AutoCloseable part : parts) {
      try {
        part.close();
      } catch (Exception e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }

  private static <T> T present(@Nullable T part) {
    if (part == null) {
      throw new IllegalStateException("The storage could not be opened; see the first failure");
    }
    return part;
  }
}
