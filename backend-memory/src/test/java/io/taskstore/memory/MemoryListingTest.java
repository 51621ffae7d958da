// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static io.taskstore.memory.Records.NOW;
import static io.taskstore.memory.Records.ids;
import static io.taskstore.memory.Records.listAll;
import static io.taskstore.memory.Records.listAllActive;
import static io.taskstore.memory.Records.value;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.VersionedRecord;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

final class MemoryListingTest {
  private final ProbeScript probe = new ProbeScript();
  private final MemoryStorageBackend backend = MemoryStorageBackend.builder().build(probe);
  private final String partition = Records.partition();

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
  void list_recordsOfTheLargestSize_makesProgress() {
    byte[] data = new byte[backend.traits().maxDataBytes()];
    backend.putIfVersion(key("a"), value(data, true, null), 0);
    backend.putIfVersion(key("b"), value(data, true, null), 0);
    backend.putIfVersion(key("c"), value("x"), 0);

    assertThat(backend.list(query(null, false, 10)).records()).hasSize(1);
    assertThat(ids(listAll(backend, partition, false, 10))).containsExactly("a", "b", "c");
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

  private RecordKey key(String id) {
    return new RecordKey(partition, id);
  }

  private void create(String id) {
    backend.putIfVersion(key(id), value(id), 0);
  }

  private ListQuery query(@Nullable String after, boolean descending, int limit) {
    return new ListQuery(partition, after, descending, limit);
  }
}
