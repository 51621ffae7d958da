// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static io.taskstore.file.RecoveryStore.EXPIRY;
import static io.taskstore.file.RecoveryStore.KEY;
import static io.taskstore.file.RecoveryStore.value;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.taskstore.file.FileStorageBackend.Recovery;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.Created;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What becomes of damaged records under each policy. */
final class RecoveryTest {
  private static final Instant NOW = EXPIRY.minusSeconds(60);
  private static final ListQuery ALL = new ListQuery(KEY.partition(), null, false, 100);

  @TempDir private Path directory;
  private RecoveryStore store = new RecoveryStore(Path.of("."));
  private final RecoveryLog log = new RecoveryLog();

  /** A call that comes across a damaged record. */
  private enum Finder {
    GET {
      @Override
      void call(StorageBackend backend) {
        backend.get(KEY);
      }
    },
    LIST {
      @Override
      void call(StorageBackend backend) {
        throwCorrupt("list", backend.list(ALL).corrupt().size());
      }
    },
    LIST_ACTIVE {
      @Override
      void call(StorageBackend backend) {
        throwCorrupt("listActive", backend.listActive(ALL).corrupt().size());
      }
    },
    PUT {
      @Override
      void call(StorageBackend backend) {
        assertThat(backend.putIfVersion(KEY, value("late"), 3)).isInstanceOf(Conflict.class);
      }
    },
    CREATE {
      @Override
      void call(StorageBackend backend) {
        backend.createWithin(KEY, value("new"), 10, NOW);
      }
    },
    DELETE {
      @Override
      void call(StorageBackend backend) {
        assertThat(backend.deleteIfVersion(KEY, 3)).isInstanceOf(Conflict.class);
      }
    },
    PURGE {
      @Override
      void call(StorageBackend backend) {
        backend.purgeExpired(EXPIRY.plusSeconds(1), 10);
      }
    };

    abstract void call(StorageBackend backend);

    /** Listings report a damaged record, and go on. */
    private static void throwCorrupt(String operation, int corrupt) {
      if (corrupt > 0) {
        throw new CorruptRecordException(operation, KEY, "listed", null);
      }
    }
  }

  @BeforeEach
  void open() {
    store = new RecoveryStore(directory.resolve("store"));
  }

  @AfterEach
  void stopLogging() {
    log.close();
  }

  @ParameterizedTest
  @EnumSource(Finder.class)
  void fail_damaged_staysAsItIs(Finder finder) throws IOException {
    store.write(KEY, 3);
    byte[] damaged = store.damageNewest(KEY);
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      Throwable thrown = catchThrowable(() -> finder.call(backend));

      if (finder == Finder.PURGE) {
        assertThat(thrown).isNull();
      } else {
        assertThat(thrown).isInstanceOf(CorruptRecordException.class);
        assertThat(((CorruptRecordException) thrown).key()).contains(KEY);
      }
    }
    assertThat(store.content(KEY)).isEqualTo(damaged);
    assertThat(store.quarantined()).isEmpty();
    assertThat(log.warnings()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Finder.class)
  void backup_damaged_bringsTheNewestGoodVersionBackAboveAll(Finder finder) throws IOException {
    store.write(KEY, 3);
    byte[] damaged = store.damageNewest(KEY);
    try (StorageBackend backend = store.open(Recovery.BACKUP)) {
      finder.call(backend);

      assertThat(store.quarantined()).hasSize(1);
      assertThat(store.quarantined().get(0)).isEqualTo(damaged);
      assertThat(log.warnings())
          .singleElement()
          .asString()
          .contains("\"p\"/\"k\" was damaged", "version 2 was restored", "quarantine/");
      if (finder == Finder.PURGE) {
        assertThat(backend.get(KEY)).isEmpty();
        return;
      }
      VersionedRecord restored = backend.get(KEY).orElseThrow();
      assertThat(restored.value()).isEqualTo(value("v2"));
      assertThat(restored.version()).isGreaterThan(3);
      // Whoever holds a version that is lost meets a conflict, whatever it is.
      for (long version = 0; version < 20; version++) {
        assertThat(backend.putIfVersion(KEY, value("stale"), version))
            .isEqualTo(new Conflict(restored));
      }
      assertThat(backend.putIfVersion(KEY, value("next"), restored.version()))
          .isEqualTo(new Written(restored.version() + 1));
    }
    try (StorageBackend other = store.open(Recovery.FAIL)) {
      assertThat(other.get(KEY).orElseThrow().value()).isEqualTo(value("next"));
    }
    assertThat(log.warnings()).hasSize(1);
    assertThat(store.temporary()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Finder.class)
  void backup_noGoodVersion_isAsFail(Finder finder) throws IOException {
    store.write(KEY, 3);
    byte[] damaged = store.damageAll(KEY);
    try (StorageBackend backend = store.open(Recovery.BACKUP)) {
      Throwable thrown = catchThrowable(() -> finder.call(backend));

      if (finder != Finder.PURGE) {
        assertThat(thrown).isInstanceOf(CorruptRecordException.class);
      }
      assertThatThrownBy(() -> backend.get(KEY))
          .hasMessageContaining("no older version of it is good");
    }
    assertThat(store.content(KEY)).isEqualTo(damaged);
    assertThat(store.quarantined()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Finder.class)
  void reset_damaged_isSetAsideAndAbsent(Finder finder) throws IOException {
    store.write(KEY, 3);
    byte[] damaged = store.damageNewest(KEY);
    try (StorageBackend backend = store.open(Recovery.RESET)) {
      finder.call(backend);

      assertThat(store.quarantined()).hasSize(1);
      assertThat(store.quarantined().get(0)).isEqualTo(damaged);
      assertThat(log.warnings())
          .singleElement()
          .asString()
          .contains("\"p\"/\"k\" was damaged", "quarantine/", "the record is gone");
      if (finder == Finder.CREATE) {
        VersionedRecord created = backend.get(KEY).orElseThrow();
        assertThat(created.version()).isEqualTo(1);
        assertThat(created.value()).isEqualTo(value("new"));
      } else {
        assertThat(backend.get(KEY)).isEmpty();
        assertThat(backend.list(ALL).records()).isEmpty();
        assertThat(backend.listActive(ALL).heads()).isEmpty();
        assertThat(backend.createWithin(KEY, value("new"), 1, NOW)).isEqualTo(Created.CREATED);
        assertThat(backend.get(KEY).orElseThrow().version()).isEqualTo(1);
      }
    }
    assertThat(log.warnings()).hasSize(1);
  }

  @ParameterizedTest
  @EnumSource(
      value = Recovery.class,
      names = {"BACKUP", "RESET"})
  void recovery_undamaged_doesNothing(Recovery policy) throws IOException {
    store.write(KEY, 3);
    byte[] content = store.content(KEY);
    try (StorageBackend backend = store.open(policy)) {
      for (Finder finder : Finder.values()) {
        if (finder == Finder.GET
            || finder == Finder.LIST
            || finder == Finder.LIST_ACTIVE
            || finder == Finder.CREATE) {
          finder.call(backend);
        }
      }
      assertThat(backend.get(KEY).orElseThrow().version()).isEqualTo(3);
    }
    assertThat(store.content(KEY)).isEqualTo(content);
    assertThat(store.quarantined()).isEmpty();
    assertThat(log.warnings()).isEmpty();
  }

  @Test
  void backup_readerThatRemembersThePlace_recoversToo() throws IOException {
    store.write(KEY, 3);
    try (StorageBackend backend = store.open(Recovery.BACKUP)) {
      backend.get(KEY);
      store.damageNewest(KEY);

      assertThat(backend.get(KEY).orElseThrow().value()).isEqualTo(value("v2"));
      assertThat(backend.get(KEY).orElseThrow().version()).isGreaterThan(3);
    }
  }

  @Test
  void backup_damagedAgainAndAgain_isHigherEachTime() throws IOException {
    store.write(KEY, 3);
    long highest = 3;
    for (int round = 0; round < 6; round++) {
      byte[] content = store.content(KEY);
      List<Journal.Entry> entries = RecoveryStore.entries(content);
      if (round % 2 == 0) {
        content[entries.get(entries.size() - 1).end() - 2] ^= 1;
      } else {
        // The header of the version that was restored: what follows it is lost as well.
        content[entries.get(1).end() + 30] = '\n';
      }
      Files.write(store.file(KEY), content);
      // One that remembers where the newest version is would not come across it.
      try (StorageBackend backend = store.open(Recovery.BACKUP)) {
        VersionedRecord restored = backend.get(KEY).orElseThrow();

        assertThat(restored.version()).isGreaterThan(highest);
        assertThat(restored.value().data().size()).isEqualTo(2);
        highest = restored.version() + 1;
        assertThat(backend.putIfVersion(KEY, value("x" + round), restored.version()))
            .isEqualTo(new Written(highest));
      }
    }
    assertThat(store.quarantined()).hasSize(6);
    assertThat(log.warnings()).hasSize(6);
  }

  @Test
  void backup_finishedRecord_staysFinishedAndWhereItWas() throws IOException {
    store.write(KEY, 2);
    try (StorageBackend backend = store.open(Recovery.BACKUP)) {
      for (long version = 2; version < 5; version++) {
        VersionedRecord done =
            BitRotFiles.version(KEY, version + 1, BitRotFiles.ascii("done"), false, null);
        backend.putIfVersion(KEY, done.value(), version);
      }
      Path file = store.file(KEY);
      assertThat(file.toString()).contains("done");
      store.damageNewest(KEY);

      VersionedRecord restored = backend.get(KEY).orElseThrow();

      assertThat(restored.value().active()).isFalse();
      assertThat(store.file(KEY)).isEqualTo(file);
      assertThat(backend.listActive(ALL).heads()).isEmpty();
      assertThat(backend.list(ALL).records()).containsExactly(restored);
    }
  }

  @Test
  void backup_lastVersionsAreUsedUp_isAsFail() throws IOException {
    long high = StorageBackend.MAX_VERSION - 10;
    seed(high);
    try (StorageBackend backend = store.open(Recovery.BACKUP)) {
      assertThatThrownBy(() -> backend.get(KEY))
          .isInstanceOf(CorruptRecordException.class)
          .hasMessageContaining("no version is left");
    }
    assertThat(store.quarantined()).isEmpty();
  }

  @Test
  void backup_highVersions_areSteppedOver() throws IOException {
    long high = StorageBackend.MAX_VERSION - 1_000_000;
    seed(high);
    try (StorageBackend backend = store.open(Recovery.BACKUP)) {
      VersionedRecord restored = backend.get(KEY).orElseThrow();

      assertThat(restored.version()).isGreaterThan(high + 1);
      assertThat(restored.value().data()).isEqualTo(value("old").data());
    }
  }

  /** A record of two high versions, the newer of which is damaged. */
  private void seed(long high) throws IOException {
    store.write(KEY, 1);
    byte[] content =
        BitRotFiles.shape(
                "",
                List.of(
                    new VersionedRecord(KEY, value("old"), high),
                    new VersionedRecord(KEY, value("new"), high + 1)),
                BitRotFiles.OTHER_BOOT,
                true,
                0)
            .file();
    Files.write(store.file(KEY), content);
    store.damageNewest(KEY);
  }

  @ParameterizedTest
  @EnumSource(
      value = Recovery.class,
      names = {"BACKUP", "RESET"})
  void recovery_manyAtOnce_happensOnce(Recovery policy) throws Exception {
    int threads = 6;
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try (FileStorageBackend one = store.open(policy);
        FileStorageBackend two = store.open(policy)) {
      for (int round = 0; round < 15; round++) {
        RecordKey key = new RecordKey("p", "k" + round);
        store.write(key, 3);
        store.damageNewest(key);
        CyclicBarrier start = new CyclicBarrier(threads);
        List<Callable<Long>> readers = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
          FileStorageBackend backend = i % 2 == 0 ? one : two;
          readers.add(
              () -> {
                start.await(1, TimeUnit.MINUTES);
                return backend.get(key).map(VersionedRecord::version).orElse(0L);
              });
        }
        List<Long> versions = new ArrayList<>();
        for (Future<Long> seen : pool.invokeAll(readers)) {
          versions.add(seen.get());
        }

        assertThat(versions).containsOnly(policy == Recovery.BACKUP ? versions.get(0) : 0L);
        assertThat(store.quarantined()).hasSize(round + 1);
      }
      assertThat(log.warnings()).hasSize(15);
    } finally {
      pool.shutdown();
      assertThat(pool.awaitTermination(1, TimeUnit.MINUTES)).isTrue();
    }
  }

  @Test
  void reset_longId_hasAQuarantineFileToo() throws IOException {
    RecordKey key = new RecordKey("p", "é".repeat(256));
    store.write(key, 2);
    byte[] damaged = store.damageNewest(key);
    try (StorageBackend backend = store.open(Recovery.RESET)) {
      assertThat(backend.get(key)).isEmpty();
    }
    assertThat(store.quarantined().get(0)).isEqualTo(damaged);
  }

  @Test
  void reset_recordCountsNoMore() throws IOException {
    store.write(KEY, 3);
    store.damageNewest(KEY);
    RecordKey other = new RecordKey("p", "other");
    try (StorageBackend backend = store.open(Recovery.RESET)) {
      backend.get(KEY);

      assertThat(backend.createWithin(other, value("o"), 1, NOW)).isEqualTo(Created.CREATED);
    }
  }
}
