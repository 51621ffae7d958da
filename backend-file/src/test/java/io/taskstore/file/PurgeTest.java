// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static io.taskstore.file.FileLocksValues.NOW;
import static io.taskstore.file.FileLocksValues.partition;
import static io.taskstore.file.FileLocksValues.seen;
import static io.taskstore.file.FileLocksValues.value;
import static io.taskstore.file.FileLocksValues.write;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.file.FileAccess.Step;
import io.taskstore.file.FileStorageBackend.Durability;
import io.taskstore.spi.Created;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is due goes, and what is not due costs nothing. */
final class PurgeTest {
  private static final Instant LATER = NOW.plus(Duration.ofDays(1));

  @TempDir private Path root;
  private final String partition = partition();
  private FileStorageBackend fast;

  @BeforeEach
  void open() {
    fast = FileStorageBackend.builder(root).durability(Durability.OS).build();
  }

  @AfterEach
  void close() {
    fast.close();
  }

  private void fill(String owner, String prefix, int count, Instant expiry) {
    for (int i = 0; i < count; i++) {
      String id = "%s-%06d".formatted(prefix, i);
      write(fast, new RecordKey(owner, id), value("v", false, expiry), 0);
    }
  }

  private static int count(FileStorageBackend backend, String owner) {
    int count = 0;
    String after = null;
    do {
      var page = backend.list(new ListQuery(owner, after, false, 1_000));
      count += page.records().size();
      after = page.next();
    } while (after != null);
    return count;
  }

  private List<String> hints() throws IOException {
    return FileLocksValues.files(root.resolve("due"));
  }

  private void loseHints() throws IOException {
    for (String name : hints()) {
      Files.delete(root.resolve("due").resolve(name));
    }
    Files.writeString(root.resolve("due/complete-since"), "another boot\n");
  }

  // --- hints --------------------------------------------------------------------------------

  @Test
  void purgeExpired_hintsWereLost_areGatheredBySeveralPurges() throws IOException {
    List<String> owners = List.of(partition(), partition(), partition(), partition());
    for (String owner : owners) {
      fill(owner, "due", 600, NOW);
      fill(owner, "later", 100, LATER);
      write(fast, new RecordKey(owner, "active"), value("v", true, NOW), 0);
    }
    fast.close();
    loseHints();

    FlushCountFiles files = new FlushCountFiles();
    try (FileStorageBackend backend = FileStorageBackend.builder(root).build(files)) {
      files.reset();
      int first = backend.purgeExpired(NOW, 10_000);
      assertThat(first).isBetween(601, 3 * 601);
      assertThat(files.count(Step.READ)).as("files read by one purge").isLessThan(9_000);
      int all = first;
      int purges = 1;
      for (; purges < 5 && all < 4 * 601; purges++) {
        all += backend.purgeExpired(NOW, 10_000);
      }
      assertThat(all).isEqualTo(4 * 601);
      assertThat(purges).isGreaterThan(1);
      for (String owner : owners) {
        assertThat(count(backend, owner)).isEqualTo(100);
      }
      backend.purgeExpired(NOW, 10_000); // whatever was still to be gathered
      int looks = files.looksOf(() -> assertThat(backend.purgeExpired(NOW, 10_000)).isZero());
      assertThat(looks).as("what a purge looks at when all is gathered").isLessThan(10);
      assertThat(backend.purgeExpired(LATER, 10_000)).isEqualTo(400);
    }
    assertThat(hints()).containsExactly("complete-since");
  }

  @Test
  void purgeExpired_hintsAreThereAfterAReopening_areNotGathered() {
    fill(partition, "later", 200, LATER);
    fast.close();
    FlushCountFiles files = new FlushCountFiles();
    try (FileStorageBackend backend = FileStorageBackend.builder(root).build(files)) {
      int looks = files.looksOf(() -> assertThat(backend.purgeExpired(NOW, 100)).isZero());
      assertThat(looks).isLessThan(10);
      assertThat(backend.purgeExpired(LATER, 1_000)).isEqualTo(200);
    }
  }

  @Test
  void purgeExpired_limit_isKeptAndTheRestComesLater() {
    fill(partition, "a", 25, NOW);
    fill(partition, "b", 25, NOW.minus(Duration.ofHours(5)));

    assertThat(fast.purgeExpired(NOW, 20)).isEqualTo(20);
    assertThat(fast.purgeExpired(NOW, 1)).isEqualTo(1);
    assertThat(fast.purgeExpired(NOW, 28)).isEqualTo(28);
    assertThat(count(fast, partition)).isEqualTo(1);
    assertThat(fast.purgeExpired(NOW, 28)).isEqualTo(1);
    assertThat(fast.purgeExpired(NOW, 28)).isZero();
  }

  @Test
  void purgeExpired_expiryWasChanged_goesByTheLastOne() {
    RecordKey extended = new RecordKey(partition, "extended");
    RecordKey shortened = new RecordKey(partition, "shortened");
    RecordKey kept = new RecordKey(partition, "kept");
    RecordKey back = new RecordKey(partition, "back");
    Instant far = NOW.plus(Duration.ofDays(300));
    write(fast, extended, value("v", true, NOW), 0);
    write(fast, extended, value("w", true, LATER), 1);
    write(fast, shortened, value("v", true, far), 0);
    write(fast, shortened, value("w", true, NOW), 1);
    write(fast, kept, value("v", true, NOW), 0);
    write(fast, kept, value("w", true, null), 1);
    write(fast, back, value("v", true, LATER), 0);
    write(fast, back, value("w", true, far), 1);

    assertThat(fast.purgeExpired(NOW.minusMillis(1), 10)).isZero();
    assertThat(fast.purgeExpired(NOW, 10)).isEqualTo(1);
    assertThat(seen(fast, shortened)).isEqualTo("absent");
    assertThat(fast.purgeExpired(LATER.minusMillis(1), 10)).isZero();
    assertThat(fast.purgeExpired(LATER, 10)).isEqualTo(1);
    assertThat(seen(fast, extended)).isEqualTo("absent");
    assertThat(seen(fast, back)).isEqualTo("2 w");

    write(fast, back, value("x", true, LATER), 2);
    assertThat(fast.purgeExpired(LATER, 10)).as("shortened to what it was").isEqualTo(1);
    assertThat(fast.purgeExpired(far, 10)).isZero();
    assertThat(seen(fast, kept)).isEqualTo("2 w");
  }

  @Test
  void purgeExpired_hintIsDamaged_spoilsOneRecordOnly() throws IOException {
    fill(partition, "a", 10, NOW);
    String file = hints().stream().filter(name -> name.endsWith(".txt")).findFirst().orElseThrow();
    Path hints = root.resolve("due").resolve(file);
    String content = Files.readString(hints);
    // The last line was cut by a crash, and another one was written since.
    Files.writeString(hints, content.substring(0, content.length() - 7));
    fill(partition, "b", 1, NOW);

    assertThat(fast.purgeExpired(NOW, 100)).isEqualTo(10);
    assertThat(count(fast, partition)).isEqualTo(1);
  }

  // --- others -------------------------------------------------------------------------------

  @Test
  void purgeExpired_byManyAtOnce_eachRecordOnce() throws Exception {
    fill(partition, "due", 600, NOW);
    fill(partition, "later", 50, LATER);
    ExecutorService threads = Executors.newCachedThreadPool();
    try (FileStorageBackend other = FileStorageBackend.open(root);
        FileLocksProcess child = FileLocksProcess.start(root)) {
      assertThat(child.ask("open 60000")).isEqualTo("opened");
      List<Future<Integer>> futures = new ArrayList<>();
      for (FileStorageBackend backend : List.of(fast, other, other)) {
        futures.add(threads.submit(() -> purgeAll(() -> backend.purgeExpired(NOW, 20))));
      }
      String question = "purge " + NOW.toEpochMilli() + " 20";
      futures.add(
          threads.submit(
              () -> purgeAll(() -> Integer.parseInt(child.ask(question).replace("purged ", "")))));
      int all = 0;
      for (Future<Integer> future : futures) {
        all += future.get(60, TimeUnit.SECONDS);
      }
      assertThat(all).isEqualTo(600);
      assertThat(count(other, partition)).isEqualTo(50);
    } finally {
      threads.shutdownNow();
    }
  }

  private interface Purge {
    int run();
  }

  private static int purgeAll(Purge purge) {
    int all = 0;
    for (int purged = purge.run(); purged > 0; purged = purge.run()) {
      all += purged;
    }
    return all;
  }

  @Test
  void purgeExpired_purgerWasKilled_anotherOneEndsIt() throws Exception {
    String[] places = {"after MOVE 1", "before DELETE 5", "after DELETE 1", "after WRITE 1"};
    try (FileStorageBackend backend = FileStorageBackend.open(root)) {
      for (String place : places) {
        String owner = partition();
        fill(owner, "due", 10, NOW);
        fill(owner, "later", 3, NOW.plusMillis(1)); // in the same hour: goes back among the hints
        try (FileLocksProcess child = FileLocksProcess.start(root)) {
          assertThat(child.ask("open 5000")).isEqualTo("opened");
          assertThat(child.ask("stop " + place)).isEqualTo("armed");
          assertThat(child.ask("purge " + NOW.toEpochMilli() + " 100"))
              .as(place)
              .isEqualTo("stopped");
          child.kill();
        }
        int left = count(backend, owner) - 3;
        assertThat(left).as(place).isBetween(0, 10);
        assertThat(backend.purgeExpired(NOW, 100)).as(place).isEqualTo(left);
        assertThat(count(backend, owner)).as(place).isEqualTo(3);
        assertThat(backend.purgeExpired(NOW.plusMillis(1), 100)).as(place).isEqualTo(3);
        assertThat(hints()).as(place).containsExactly("complete-since");
        assertThat(FileLocksValues.files(root.resolve("p"))).as(place).isEmpty();
      }
    }
  }

  // --- cost ---------------------------------------------------------------------------------

  @Test
  void purgeExpired_manyThatAreNotDue_costsNotMore() {
    FlushCountFiles files = new FlushCountFiles();
    try (FileStorageBackend backend = FileStorageBackend.builder(root).build(files)) {
      fill(partition, "other", 1, LATER);
      fill(partition, "due-1", 20, NOW);
      int few = files.looksOf(() -> assertThat(backend.purgeExpired(NOW, 100)).isEqualTo(20));
      fill(partition, "later", 500, LATER);
      fill(partition, "soon", 500, NOW.plusSeconds(60)); // of the same hour
      fill(partition, "never", 500, null);
      fill(partition, "due-2", 20, NOW);
      int many = files.looksOf(() -> assertThat(backend.purgeExpired(NOW, 100)).isEqualTo(20));
      int nothing = files.looksOf(() -> assertThat(backend.purgeExpired(NOW, 100)).isZero());

      assertThat(many).isLessThanOrEqualTo(few + 5);
      assertThat(nothing).isLessThan(10);
    }
  }

  @Test
  void everyCall_thousandsOfFinishedRecords_takesAsManyLooks() {
    lookAmong(1_500);
  }

  @Test
  @Tag("campaign")
  void everyCall_tenThousandFinishedRecords_takesAsManyLooks() {
    lookAmong(10_000);
  }

  private void lookAmong(int finished) {
    List<Integer> few = looks();
    fill(partition, "m", finished, LATER);
    List<Integer> many = looks();

    assertThat(count(fast, partition)).isEqualTo(finished + 3);
    for (int i = 0; i < few.size(); i++) {
      assertThat(many.get(i)).as("looks of call %s", i).isLessThanOrEqualTo(few.get(i) + 1);
    }
  }

  /** How often a new instance looks into files and directories for each kind of call. */
  private List<Integer> looks() {
    List<Integer> looks = new ArrayList<>();
    FlushCountFiles files = new FlushCountFiles();
    RecordKey early = new RecordKey(partition, "early");
    RecordKey late = new RecordKey(partition, "z" + fast.get(early).isPresent());
    RecordKey next = new RecordKey(partition, "active");
    if (fast.get(early).isEmpty()) {
      write(fast, early, value("v", false, null), 0);
    }
    try (FileStorageBackend backend = FileStorageBackend.builder(root).build(files)) {
      looks.add(files.looksOf(() -> assertThat(backend.get(early)).isPresent()));
      looks.add(
          files.looksOf(
              () ->
                  assertThat(backend.createWithin(next, value("v"), 5, NOW))
                      .isEqualTo(Created.CREATED)));
      looks.add(files.looksOf(() -> write(backend, next, value("w"), 1)));
      looks.add(files.looksOf(() -> write(backend, next, value("x", false, LATER), 2)));
      looks.add(files.looksOf(() -> assertThat(backend.get(next)).isPresent()));
      looks.add(files.looksOf(() -> assertThat(backend.get(late)).isEmpty()));
      looks.add(files.looksOf(() -> assertThat(backend.deleteIfVersion(next, 3)).isNotNull()));
      looks.add(
          files.looksOf(
              () ->
                  assertThat(backend.listActive(new ListQuery(partition, null, false, 9)).heads())
                      .isEmpty()));
    }
    write(fast, late, value("v", false, null), 0);
    return looks;
  }
}
