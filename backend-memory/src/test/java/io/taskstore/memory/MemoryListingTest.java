// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static io.taskstore.memory.Records.NOW;
import static io.taskstore.memory.Records.headIds;
import static io.taskstore.memory.Records.ids;
import static io.taskstore.memory.Records.listAll;
import static io.taskstore.memory.Records.listAllActive;
import static io.taskstore.memory.Records.value;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.VersionedRecord;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class MemoryListingTest {
  private final ProbeScript probe = new ProbeScript();
  private final MemoryStorageBackend backend = MemoryStorageBackend.builder().build(probe);
  private final String partition = Records.partition();

  @Test
  void list_nothingThere_isEmptyAndComplete() { // G1
    RecordPage page = backend.list(query(null, false, 10));
    HeadPage heads = backend.listActive(query(null, true, 10));

    assertThat(page).isEqualTo(new RecordPage(List.of(), List.of(), null));
    assertThat(heads).isEqualTo(new HeadPage(List.of(), List.of(), null));
  }

  @Test
  void list_otherPartitions_areNotIncluded() { // G2, D14
    create("a");
    backend.putIfVersion(new RecordKey(partition + "0", "b"), value("x"), 0);
    backend.putIfVersion(
        new RecordKey(partition.substring(0, partition.length() - 1), "c"), value("x"), 0);

    assertThat(ids(listAll(backend, partition, false, 10))).containsExactly("a");
    assertThat(headIds(listAllActive(backend, partition, false, 10))).containsExactly("a");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 19, 20, 21, Integer.MAX_VALUE})
  void list_anyPageSize_isCompleteInUtf8OrderBothWays(int limit) { // G3, G4, G11, G13
    List<String> ids = new ArrayList<>();
    for (String prefix : List.of("a", "\u007f", "\u00e9", "\ud7ff", "\ue000", "\uffff")) {
      ids.add(prefix);
      ids.add(prefix + "\ud83d\ude00");
      ids.add(prefix + "\uffff");
    }
    ids.add("\ud800\udc00");
    ids.add("\udbff\udfff");
    ids.sort(
        Comparator.comparing(
            (String id) -> id.getBytes(StandardCharsets.UTF_8), Arrays::compareUnsigned));
    List<String> shuffled = new ArrayList<>(ids);
    Collections.shuffle(shuffled, new Random(1));
    shuffled.forEach(this::create);
    List<String> reversed = new ArrayList<>(ids);
    Collections.reverse(reversed);

    List<VersionedRecord> listed = listAll(backend, partition, false, limit);

    assertThat(ids).hasSize(20);
    assertThat(ids(listed)).containsExactlyElementsOf(ids);
    assertThat(ids(listAll(backend, partition, true, limit))).containsExactlyElementsOf(reversed);
    assertThat(headIds(listAllActive(backend, partition, false, limit)))
        .containsExactlyElementsOf(ids);
    assertThat(headIds(listAllActive(backend, partition, true, limit)))
        .containsExactlyElementsOf(reversed);
    assertThat(listed).allSatisfy(stored -> assertThat(backend.get(stored.key())).contains(stored));
  }

  @Test
  void list_pageEndsExactlyAtTheLastRecord_hasNoNext() {
    create("a");
    create("b");

    assertThat(backend.list(query(null, false, 2)).next()).isNull();
    assertThat(backend.list(query(null, false, 1)).next()).isEqualTo("a");
    assertThat(backend.list(query(null, true, 1)).next()).isEqualTo("b");
    assertThat(backend.listActive(query(null, false, 2)).next()).isNull();
    assertThat(backend.listActive(query(null, false, 1)).next()).isEqualTo("a");
    assertThat(backend.listActive(query(null, true, 1)).next()).isEqualTo("b");
  }

  @Test
  void list_changesAroundTheCursor_neitherSkipNorRepeat() { // G6
    List.of("b", "d", "f", "h").forEach(this::create);

    RecordPage first = backend.list(query(null, false, 2));
    assertThat(ids(first.records())).containsExactly("b", "d");
    delete("d");
    delete("b");
    create("c");
    create("e");

    assertThat(ids(backend.list(query(first.next(), false, 10)).records()))
        .containsExactly("e", "f", "h");
    assertThat(ids(backend.list(query("never-existed", true, 10)).records()))
        .containsExactly("h", "f", "e", "c");
    assertThat(headIds(backend.listActive(query("d", false, 10)).heads()))
        .containsExactly("e", "f", "h");
  }

  @Test
  void list_muchData_endsPagesByBytes() { // G8
    byte[] data = new byte[1024 * 1024];
    for (int i = 0; i < 10; i++) {
      backend.putIfVersion(key("%02d".formatted(i)), value(data, true, null), 0);
    }

    RecordPage page = backend.list(query(null, false, 1_000));

    assertThat(page.records()).hasSize(4);
    assertThat(page.next()).isEqualTo("03");
    assertThat(listAll(backend, partition, false, 1_000)).hasSize(10);
    assertThat(listAll(backend, partition, true, 1_000)).hasSize(10);
  }

  @Test
  void list_recordsOfTheLargestSize_makesProgress() {
    byte[] data = new byte[backend.traits().maxDataBytes()];
    backend.putIfVersion(key("a"), value(data, true, null), 0);
    backend.putIfVersion(key("b"), value(data, true, null), 0);
    backend.putIfVersion(key("c"), value("x"), 0);

    assertThat(backend.list(query(null, false, 10)).records()).hasSize(1);
    assertThat(ids(listAll(backend, partition, false, 10))).containsExactly("a", "b", "c");
  }

  @Test
  void list_manySmallRecords_isComplete() { // G8
    for (int i = 0; i < 2_500; i++) {
      create("%05d".formatted(i));
    }

    List<VersionedRecord> listed = listAll(backend, partition, false, 1_000);

    assertThat(listed).hasSize(2_500).doesNotHaveDuplicates();
  }

  @Test
  void listActive_mixedRecords_agreesWithListAndReadsOnlyActiveOnes() { // G13
    for (int i = 0; i < 1_000; i++) {
      String id = "%04d".formatted(i);
      create(id);
      if (i % 100 != 0) {
        backend.putIfVersion(key(id), value("x", false, NOW), 1);
      }
    }
    List<RecordHead> expected = new ArrayList<>();
    for (VersionedRecord stored : listAll(backend, partition, false, 1_000)) {
      if (stored.value().active()) {
        expected.add(new RecordHead(stored.key(), stored.value().expiresAt()));
      }
    }

    probe.count(Probe.Step.VISIT);
    List<RecordHead> heads = listAllActive(backend, partition, false, 1_000);

    assertThat(heads).hasSize(10).containsExactlyElementsOf(expected);
    assertThat(probe.count()).isEqualTo(10);
  }

  @Test
  void list_duringWrites_showsStableRecordsExactlyOnce() throws Exception { // C14
    for (int i = 0; i < 200; i++) {
      create("%04d-stable".formatted(i));
    }
    AtomicBoolean done = new AtomicBoolean();

    Records.race(
        4,
        number -> {
          if (number > 0) {
            Random random = new Random(number);
            while (!done.get()) {
              RecordKey key = key("%04d-passing".formatted(random.nextInt(200)));
              backend.put(key, value("x", random.nextBoolean(), NOW));
              RecordKey stable = key("%04d-stable".formatted(random.nextInt(200)));
              backend.put(stable, value("x", true, NOW.plusMillis(random.nextInt(10))));
              backend.delete(key);
            }
            return true;
          }
          try {
            for (int i = 0; i < 150; i++) {
              boolean descending = i % 2 == 0;
              List<String> listed = ids(listAll(backend, partition, descending, 30));
              List<String> active = headIds(listAllActive(backend, partition, descending, 30));
              assertThat(listed).doesNotHaveDuplicates();
              assertThat(active).doesNotHaveDuplicates();
              assertThat(listed.stream().filter(id -> id.endsWith("stable"))).hasSize(200);
              assertThat(active.stream().filter(id -> id.endsWith("stable"))).hasSize(200);
            }
          } finally {
            done.set(true);
          }
          return true;
        });
  }

  private RecordKey key(String id) {
    return new RecordKey(partition, id);
  }

  private void create(String id) {
    backend.putIfVersion(key(id), value(id), 0);
  }

  private void delete(String id) {
    backend.deleteIfVersion(key(id), 1);
  }

  private ListQuery query(@Nullable String after, boolean descending, int limit) {
    return new ListQuery(partition, after, descending, limit);
  }
}
