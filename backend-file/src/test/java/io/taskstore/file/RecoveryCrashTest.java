// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static io.taskstore.file.RecoveryStore.KEY;
import static io.taskstore.file.RecoveryStore.value;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.file.FileStorageBackend.Recovery;
import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.VersionedRecord;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A recovery that is stopped half way leaves the damaged file, or what it was to become. */
final class RecoveryCrashTest {
  @TempDir private Path directory;
  private final RecoveryLog log = new RecoveryLog();

  @AfterEach
  void stopLogging() {
    log.close();
  }

  /** Fails at one step, and at all that follow if the process has died. */
  private static final class FailingFiles extends FileAccess {
    private final int failing;
    private final boolean dies;
    private final boolean afterwards;
    private int steps;
    private boolean armed;
    private boolean failed;

    FailingFiles(int failing, boolean dies, boolean afterwards) {
      super(true);
      this.failing = failing;
      this.dies = dies;
      this.afterwards = afterwards;
    }

    @Override
    void before(Step step, Path path) throws IOException {
      if (armed && failed && dies) {
        throw new FileSystemException(path.toString(), null, "Input/output error");
      }
      if (armed && !afterwards) {
        count(path);
      }
    }

    @Override
    void after(Step step, Path path) throws IOException {
      if (armed && afterwards) {
        count(path);
      }
    }

    private void count(Path path) throws IOException {
      steps++;
      if (steps == failing) {
        failed = true;
        throw new FileSystemException(path.toString(), null, "Some error");
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "BACKUP, false, false",
    "BACKUP, true, true",
    "RESET, true, false",
    "RESET, false, true"
  })
  void recovery_failsAtAnyStep_isOldOrNew(Recovery policy, boolean dies, boolean afterwards)
      throws IOException {
    int failures = 0;
    for (int step = 1; ; step++) {
      RecoveryStore store = new RecoveryStore(directory.resolve(policy + "-" + dies + step));
      store.write(KEY, 3);
      byte[] damaged = store.damageNewest(KEY);
      FailingFiles files = new FailingFiles(step, dies, afterwards);
      long seen = 3;
      try (StorageBackend backend = store.builder(policy).build(files)) {
        files.armed = true;
        seen = Math.max(seen, version(backend.get(KEY)));
      } catch (StorageException e) {
        // What was to be done has failed, or it is unknown whether it was done.
        assertThat(e).hasMessageContaining("get of \"p\"/\"k\"");
      }
      checkOldOrNew(store, policy, seen, step);

      try (StorageBackend backend = store.open(policy)) {
        Optional<VersionedRecord> last = backend.get(KEY);
        if (policy == Recovery.RESET) {
          assertThat(last).isEmpty();
        } else {
          assertThat(last.orElseThrow().value()).isEqualTo(value("v2"));
          assertThat(last.orElseThrow().version()).isGreaterThan(3).isGreaterThanOrEqualTo(seen);
        }
        assertThat(store.quarantined())
            .isNotEmpty()
            .allSatisfy(c -> assertThat(c).isEqualTo(damaged));
      }
      // What was in the making is gone once somebody has opened it again.
      assertThat(store.temporary()).isEmpty();
      if (!files.failed) {
        break;
      }
      failures++;
    }
    assertThat(failures).isGreaterThan(10);
  }

  private static long version(Optional<VersionedRecord> found) {
    return found.map(VersionedRecord::version).orElse(0L);
  }

  /** As somebody sees it who has no policy, and so changes nothing. */
  private static void checkOldOrNew(RecoveryStore store, Recovery policy, long seen, int step) {
    try (StorageBackend reader = store.open(Recovery.FAIL)) {
      Optional<VersionedRecord> found = reader.get(KEY);
      if (policy == Recovery.RESET) {
        assertThat(found).as("step %d", step).isEmpty();
      } else {
        VersionedRecord restored = found.orElseThrow();
        assertThat(restored.value()).as("step %d", step).isEqualTo(value("v2"));
        assertThat(restored.version()).as("step %d", step).isGreaterThan(3);
      }
    } catch (CorruptRecordException e) {
      // The damaged one is still there; then nobody was told of another.
      assertThat(seen).as("step %d", step).isEqualTo(3);
    }
  }

  /** Looks at each step with the eyes of somebody else. */
  private static final class WatchedFiles extends FileAccess {
    private final RecoveryStore store;
    private final Recovery policy;
    private StorageBackend reader;
    private int looks;

    WatchedFiles(RecoveryStore store, Recovery policy, StorageBackend reader) {
      super(true);
      this.store = store;
      this.policy = policy;
      this.reader = reader;
    }

    @Override
    void after(Step step, Path path) {
      if (path.startsWith(store.root().resolve("tmp")) || step == Step.READ) {
        return;
      }
      looks++;
      checkOldOrNew(store, policy, 3, looks);
      try {
        Optional<VersionedRecord> found = reader.get(KEY);
        assertThat(found.isEmpty() || found.get().version() > 3).isTrue();
      } catch (CorruptRecordException e) {
        // As it was.
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"BACKUP", "RESET"})
  void recovery_underWay_othersSeeOldOrNew(Recovery policy) throws IOException {
    RecoveryStore store = new RecoveryStore(directory);
    store.write(KEY, 3);
    try (StorageBackend reader = store.open(Recovery.FAIL)) {
      reader.get(KEY);
      store.damageNewest(KEY);
      WatchedFiles files = new WatchedFiles(store, policy, reader);
      try (StorageBackend backend = store.builder(policy).build(files)) {
        backend.get(KEY);
      }
      assertThat(files.looks).isGreaterThan(3);
    }
  }

  @Test
  void backup_failedFlushOfTheCopy_leavesTheDamagedFileAlone() throws IOException {
    RecoveryStore store = new RecoveryStore(directory);
    store.write(KEY, 3);
    byte[] damaged = store.damageNewest(KEY);
    FileAccess files =
        new FileAccess(true) {
          @Override
          void before(Step step, Path path) throws IOException {
            if (step == Step.FLUSH) {
              throw new FileSystemException(path.toString(), null, "No space left on device");
            }
          }
        };
    try (StorageBackend backend = store.builder(Recovery.BACKUP).build(files)) {
      for (int i = 0; i < 3; i++) {
        assertThat(List.of("CapacityExceededException", "CorruptRecordException"))
            .contains(thrownBy(backend).getClass().getSimpleName());
      }
    }
    assertThat(store.content(KEY)).isEqualTo(damaged);
    assertThat(store.quarantined()).isEmpty();
  }

  private static StorageException thrownBy(StorageBackend backend) {
    try {
      throw new AssertionError("it was read: " + backend.get(KEY));
    } catch (StorageException e) {
      return e;
    }
  }
}
