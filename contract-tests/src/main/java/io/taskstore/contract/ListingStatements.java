// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.contract.Samples.insert;
import static io.taskstore.contract.Samples.now;
import static io.taskstore.contract.Samples.race;
import static io.taskstore.contract.Samples.randomBytes;
import static io.taskstore.contract.Samples.stored;
import static io.taskstore.contract.Samples.value;
import static io.taskstore.contract.Samples.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.spi.Conflict;
import io.taskstore.spi.CorruptRecord;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Statements G: listings are complete, in order, and go on where they ended.
 *
 * <p>A page may be short or even empty and have a next one. So a listing is judged when it has been
 * followed to its end; of each page only its order, its size and its cursor are.
 */
abstract class ListingStatements extends ExpiryStatements {
  private static final boolean[] DIRECTIONS = {false, true};

  /** More pages than any listing here can need, empty ones included. */
  private static final int MAX_PAGES = 5_000;

  /** The order of UTF-8 bytes, found without the code that is under test. */
  private static final Comparator<String> BYTES =
      (left, right) ->
          Arrays.compareUnsigned(
              left.getBytes(StandardCharsets.UTF_8), right.getBytes(StandardCharsets.UTF_8));

  /** A page of either kind of listing. */
  private record Page<T>(List<T> items, List<CorruptRecord> corrupt, @Nullable String next) {}

  /** The pages of a listing that was followed to its end. */
  private record Listing<T>(List<Page<T>> pages) {
    List<T> items() {
      return pages.stream().flatMap(page -> page.items().stream()).toList();
    }

    List<RecordKey> corrupt() {
      return pages.stream()
          .flatMap(page -> page.corrupt().stream())
          .map(CorruptRecord::key)
          .toList();
    }
  }

  // --- G1, G2 -------------------------------------------------------------------------------

  @Test
  final void g1_partitionThatNeverHadARecord_isEmpty() {
    for (StorageBackend instance : both()) {
      assertEverySelection(instance, partition(), List.of(), List.of("a", "\u0000", "\uffff"));
    }
  }

  @Test
  final void g1_recordsWereDeleted_partitionIsEmpty() {
    insert(backend(), key("a"), value("a"));
    insert(backend(), key("b"), value("b", false, null));
    insert(backend(), key("c"), value("c", true, now().minusSeconds(60)));
    assertThat(backend().deleteIfVersion(key("a"), 1)).isEqualTo(Deleted.DELETED);
    assertThat(other().deleteIfVersion(key("b"), 1)).isEqualTo(Deleted.DELETED);
    assertThat(backend().delete(key("c"))).isTrue();

    for (StorageBackend instance : both()) {
      assertEverySelection(instance, partition(), List.of(), List.of("a", "b", "c", "0", "z"));
    }
  }

  @Test
  final void g1_recordsWerePurged_partitionIsEmpty() throws Exception {
    BackendStorage storage = newStorage();
    StorageBackend first = open(storage);
    StorageBackend second = open(storage);
    assertEverySelection(first, partition(), List.of(), List.of("a"));
    Instant past = now().minusSeconds(3_600);
    insert(first, key("a"), value("a", true, past));
    insert(first, key("b"), value("b", false, past));

    assertThat(first.purgeExpired(now(), 10)).isLessThanOrEqualTo(2);

    assertEverySelection(first, partition(), List.of(), List.of("a"));
    assertEverySelection(second, partition(), List.of(), List.of("a"));
  }

  @Test
  final void g2_listing_hasItsOwnPartitionOnly() {
    String own = partition();
    List<String> neighbours =
        List.of(
            own.substring(0, own.length() - 1),
            own + "\u0000",
            own + " ",
            own + "/",
            own + "/a",
            own + ":",
            own + ":a",
            own + "#",
            own + "0",
            own + "a",
            own + "%",
            own + "*",
            own + "~",
            own + "\uffff",
            own + "\ud83d\ude00",
            own.toUpperCase(Locale.ROOT),
            own.substring(0, own.length() - 1) + "%",
            own.substring(0, own.length() - 1) + "_",
            own.substring(0, own.length() - 1) + "?");
    List<String> ids = List.of("\u0000", "/", "a", "b", "\uffff");
    List<VersionedRecord> expected = new ArrayList<>();
    for (String id : List.of("a", "b")) {
      expected.add(insert(backend(), key(id), value("own")));
    }
    List<List<VersionedRecord>> theirs = new ArrayList<>();
    for (String neighbour : neighbours) {
      List<VersionedRecord> written = new ArrayList<>();
      for (String id : ids) {
        written.add(insert(backend(), new RecordKey(neighbour, id), value("neighbour")));
      }
      theirs.add(written);
    }

    for (StorageBackend instance : both()) {
      assertEverySelection(
          instance, own, expected, List.of("\u0000", "/", "a", "aa", "b", "c", "\uffff"));
    }
    for (int i = 0; i < neighbours.size(); i++) {
      for (boolean descending : DIRECTIONS) {
        assertListed(other(), neighbours.get(i), theirs.get(i), null, descending, 2);
      }
    }
  }

  // --- G3 -----------------------------------------------------------------------------------

  @Test
  final void g3_ids_areInTheOrderOfTheirBytes() {
    List<VersionedRecord> sorted = new ArrayList<>();
    for (String id : awkwardIds()) {
      sorted.add(insert(backend(), key(id), value(id)));
    }
    sorted.sort(Comparator.comparing(stored -> stored.key().id(), BYTES));

    for (StorageBackend instance : both()) {
      for (boolean descending : DIRECTIONS) {
        assertListed(instance, partition(), sorted, null, descending, 1_000);
        assertListed(instance, partition(), sorted, null, descending, 7);
      }
    }
  }

  @ParameterizedTest(name = "descending {0}")
  @ValueSource(booleans = {false, true})
  final void g3_everyIdAsCursor_dividesTheListingThere(boolean descending) {
    List<VersionedRecord> sorted = new ArrayList<>();
    for (String id : awkwardIds()) {
      sorted.add(insert(backend(), key(id), value(id)));
    }
    sorted.sort(Comparator.comparing(stored -> stored.key().id(), BYTES));

    for (VersionedRecord cursor : sorted) {
      assertListed(other(), partition(), sorted, cursor.key().id(), descending, 1_000);
    }
  }

  // --- G4, G10, G11 -------------------------------------------------------------------------

  @ParameterizedTest(name = "pages of {0}")
  @ValueSource(ints = {1, 2, 3, 6, 7, 8, 14, 1_000})
  final void g4_pagesOfAnySize_areCompleteAndWithoutDuplicates(int limit) {
    List<VersionedRecord> records = new ArrayList<>();
    for (int i = 0; i < 7; i++) {
      Instant expiresAt = i % 3 == 0 ? now().plusSeconds(i) : null;
      records.add(insert(backend(), key("k" + i), value("data" + i, true, expiresAt)));
    }
    for (StorageBackend instance : both()) {
      for (boolean descending : DIRECTIONS) {
        assertListed(instance, partition(), records, null, descending, limit);
      }
    }
  }

  @ParameterizedTest(name = "pages of {0}")
  @ValueSource(ints = {1, 2, 3, 4, 6, 7, 8})
  final void g4_activeAndInactiveMixed_pagesAreComplete(int limit) {
    // Four are active: the first and the last are not, and two that are not stand together.
    boolean[] active = {false, true, true, false, false, true, true, false};
    List<VersionedRecord> records = new ArrayList<>();
    for (int i = 0; i < active.length; i++) {
      VersionedRecord stored = insert(backend(), key("k" + i), value("data" + i));
      if (!active[i]) {
        stored = write(backend(), key("k" + i), value("cleared" + i, false, null), 1);
      }
      records.add(stored);
    }
    for (boolean descending : DIRECTIONS) {
      assertListed(other(), partition(), records, null, descending, limit);
    }
  }

  @Test
  final void g4_oneRecord_isListedByEveryPageSize() {
    List<VersionedRecord> one = List.of(insert(backend(), key("only"), value("data")));
    for (int limit : new int[] {1, 2, 1_000}) {
      assertListed(other(), partition(), one, null, false, limit);
      assertListed(other(), partition(), one, null, true, limit);
    }
  }

  @Test
  final void g10_limitBelowOne_isRefusedByTheQuery() {
    for (int limit : new int[] {0, -1, Integer.MIN_VALUE}) {
      assertThatThrownBy(() -> new ListQuery(partition(), null, false, limit))
          .as("limit %d", limit)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(Integer.toString(limit));
    }
  }

  @Test
  final void g10_everyLimitFromOne_isTaken() {
    List<VersionedRecord> records = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      records.add(insert(backend(), key("k" + i), value("data" + i)));
    }
    for (int limit : new int[] {1, 65_536, Integer.MAX_VALUE - 1, Integer.MAX_VALUE}) {
      for (boolean descending : DIRECTIONS) {
        assertListed(backend(), partition(), records, null, descending, limit);
        assertListed(backend(), partition(), records, "k1", descending, limit);
      }
    }
  }

  @ParameterizedTest(name = "pages of {0}")
  @ValueSource(ints = {1, 4, 100})
  final void g11_everythingInAListing_equalsGet(int limit) {
    List<RecordKey> keys = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      RecordKey key = key("k" + i);
      keys.add(key);
      for (int version = 0; version <= i; version++) {
        byte[] data = randomBytes(i * 100, 31L * i + version);
        Instant expiresAt = (i + version) % 3 == 0 ? null : now().plusMillis(version - 5L);
        write(version % 2 == 0 ? backend() : other(), key, value(data, i != 5, expiresAt), version);
      }
    }
    List<VersionedRecord> got = keys.stream().map(key -> stored(backend(), key)).toList();
    assertThat(got)
        .extracting(VersionedRecord::version)
        .containsExactly(1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L);

    for (StorageBackend instance : both()) {
      for (boolean descending : DIRECTIONS) {
        assertListed(instance, partition(), got, null, descending, limit);
      }
    }
  }

  // --- G6 -----------------------------------------------------------------------------------

  @ParameterizedTest(name = "descending {0}, pages of {1}")
  @CsvSource({"false,1", "false,2", "false,3", "true,1", "true,2", "true,3"})
  final void g6_changesAroundTheCursor_neitherSkipNorRepeatStableKeys(
      boolean descending, int limit) {
    Surroundings ofRecords = new Surroundings(backend(), other(), partition() + "-list");
    List<RecordKey> listed =
        keys(
            followRecords(
                    backend(),
                    new ListQuery(ofRecords.partition, null, descending, limit),
                    ofRecords::change)
                .items(),
            VersionedRecord::key);
    ofRecords.check(listed, descending);

    Surroundings ofHeads = new Surroundings(backend(), other(), partition() + "-active");
    List<RecordKey> active =
        keys(
            followHeads(
                    other(),
                    new ListQuery(ofHeads.partition, null, descending, limit),
                    ofHeads::change)
                .items(),
            RecordHead::key);
    ofHeads.check(active, descending);
  }

  /** Even records stay, and are updated; odd ones go, and new ones come, around every cursor. */
  private static final class Surroundings {
    private static final int RECORDS = 20;
    private static final int MAX_INSERTS = 16;

    final String partition;
    private final StorageBackend reader;
    private final StorageBackend writer;
    private final Set<String> everStored = new HashSet<>();
    private int inserts;
    private int updates;

    Surroundings(StorageBackend reader, StorageBackend writer, String partition) {
      this.partition = partition;
      this.reader = reader;
      this.writer = writer;
      for (int i = 0; i < RECORDS; i++) {
        create(id(i));
      }
    }

    private static String id(int number) {
      return "k%02d".formatted(number);
    }

    private static boolean isStable(String id) {
      return id.length() == 3 && (id.charAt(2) - '0') % 2 == 0;
    }

    private void create(String id) {
      insert(writer, new RecordKey(partition, id), value("created"));
      everStored.add(id);
    }

    void change(String cursor) {
      if (!isStable(cursor)) {
        writer.delete(new RecordKey(partition, cursor));
      }
      int number = Integer.parseInt(cursor.substring(1, 3));
      if (inserts < MAX_INSERTS) {
        inserts += 2;
        // Just after the cursor, and just before it.
        createIfNew(cursor + "!");
        createIfNew(id(Math.max(number - 1, 0)) + "~");
      }
      for (int distance : new int[] {-3, -1, 1, 3}) {
        int neighbour = number + distance;
        if (neighbour >= 0 && neighbour < RECORDS) {
          RecordKey key = new RecordKey(partition, id(neighbour));
          if (isStable(key.id())) {
            updates++;
            write(writer, key, value("updated" + updates), stored(reader, key).version());
          } else if (updates % 2 == 0) {
            writer.delete(key);
          }
        }
      }
    }

    private void createIfNew(String id) {
      if (!everStored.contains(id)) {
        create(id);
      }
    }

    void check(List<RecordKey> listed, boolean descending) {
      List<String> ids = listed.stream().map(RecordKey::id).toList();
      List<String> stable = new ArrayList<>();
      for (int i = 0; i < RECORDS; i += 2) {
        stable.add(id(i));
      }
      if (descending) {
        Collections.reverse(stable);
      }
      assertThat(inserts).as("records that were inserted during the listing").isPositive();
      assertThat(ids).doesNotHaveDuplicates();
      assertThat(everStored).containsAll(ids);
      assertThat(ids.stream().filter(Surroundings::isStable).toList())
          .as("records that were there throughout")
          .isEqualTo(stable);
    }
  }

  @Test
  final void g6_cursorsRecordIsGone_listingGoesOnAfterIt() {
    List<String> ids = List.of("a", "aa", "b", "b/c", "c", "\ue000", "\ud83d\ude00");
    List<VersionedRecord> records = new ArrayList<>();
    for (String id : ids) {
      records.add(insert(backend(), key(id), value(id)));
    }
    for (int i = 0; i < ids.size(); i++) {
      String cursor = ids.get(i);
      assertThat(backend().deleteIfVersion(key(cursor), 1)).isEqualTo(Deleted.DELETED);
      List<VersionedRecord> left = new ArrayList<>(records);
      left.remove(i);
      for (boolean descending : DIRECTIONS) {
        assertListed(other(), partition(), left, cursor, descending, 2);
      }
      records.set(i, insert(backend(), key(cursor), value("again")));
    }
  }

  @Test
  final void g6_everythingIsDeletedDuringAListing_itEnds() {
    for (int i = 0; i < 6; i++) {
      insert(backend(), key("k" + i), value("data"));
    }
    ListQuery query = new ListQuery(partition(), null, false, 2);
    Consumer<String> deleteAll =
        cursor -> {
          for (int i = 0; i < 6; i++) {
            other().delete(key("k" + i));
          }
        };

    List<VersionedRecord> items = followRecords(backend(), query, deleteAll).items();

    assertThat(items).hasSizeLessThanOrEqualTo(6);
    assertListed(backend(), partition(), List.of(), "k1", false, 2);
    assertListed(backend(), partition(), List.of(), "k1", true, 2);
  }

  @Test
  final void g6_cursorThatWasNeverStored_isAPlaceLikeAnyOther() {
    List<VersionedRecord> records = new ArrayList<>();
    for (String id : List.of("b", "d", "d/e", "f", "\uf000", "\ud83d\ude00")) {
      records.add(insert(backend(), key(id), value(id)));
    }
    List<String> cursors =
        List.of(
            "\u0000",
            " ",
            "B",
            "a",
            "a".repeat(RecordKey.MAX_ID_BYTES),
            "b\u0000",
            "c",
            "c%",
            "d*",
            "d/",
            "d/\uffff",
            "d/f",
            "e".repeat(RecordKey.MAX_ID_BYTES),
            "g",
            "{g}",
            "\uefff",
            "\uffff",
            "\ud800\udc00",
            "\udbff\udfff",
            "\udbff\udfff".repeat(RecordKey.MAX_ID_BYTES / 4));
    assertEverySelection(backend(), partition(), records, cursors);
    assertEverySelection(other(), partition(), records, cursors);
  }

  @Test
  final void g6_recordInsertedBehindOrAheadOfACursor_isOnItsOwnSide() {
    insert(backend(), key("k3"), value("data"));
    insert(backend(), key("k5"), value("data"));
    VersionedRecord behind = insert(backend(), key("k2"), value("new"));
    VersionedRecord ahead = insert(backend(), key("k4"), value("new"));
    List<VersionedRecord> records =
        List.of(behind, stored(backend(), key("k3")), ahead, stored(backend(), key("k5")));

    for (StorageBackend instance : both()) {
      assertListed(instance, partition(), records, "k3", false, 1);
      assertListed(instance, partition(), records, "k3", true, 1);
    }
  }

  // --- G8 -----------------------------------------------------------------------------------

  @Test
  final void g8_moreThanAThousandRecords_areAllListed() throws Exception {
    List<VersionedRecord> records = insertMany(1_100, i -> value("data" + i, true, null));

    for (int limit : new int[] {999, 1_000, 1_100, 100_000}) {
      for (boolean descending : DIRECTIONS) {
        assertListed(other(), partition(), records, null, descending, limit);
      }
      assertListed(backend(), partition(), records, "k00050", false, limit);
      assertListed(backend(), partition(), records, "k01050", true, limit);
    }
  }

  @Test
  final void g8_moreThanFiveMegabytes_pagesEndByBytes() throws Exception {
    int size = Math.min(256 * 1024, traits().maxDataBytes());
    int number = 6 * 1024 * 1024 / size;
    if (number > 3_000) {
      throw ExcludedException.byTraits("takes records too small to fill a page by bytes");
    }
    List<VersionedRecord> records =
        insertMany(number, i -> value(randomBytes(size, i), true, null));

    for (boolean descending : DIRECTIONS) {
      ListQuery query = new ListQuery(partition(), null, descending, 100_000);
      Listing<VersionedRecord> listing = followRecords(other(), query, cursor -> {});
      assertSameRecords(listing.items(), selected(records, null, descending));
      assertThat(listing.pages()).as("pages").hasSizeGreaterThan(1);
      assertPagesEndByBytes(listing);
      assertThat(followHeads(other(), query, cursor -> {}).items())
          .isEqualTo(heads(selected(records, null, descending)));
    }
  }

  @Test
  final void g8_recordsAsLargeAsPossible_pagesMakeProgress() throws Exception {
    int size = Math.min(traits().maxDataBytes(), RecordPage.TARGET_BYTES + 1);
    List<VersionedRecord> records = insertMany(3, i -> value(randomBytes(size, i), true, null));

    for (boolean descending : DIRECTIONS) {
      ListQuery query = new ListQuery(partition(), null, descending, 10);
      Listing<VersionedRecord> listing = followRecords(backend(), query, cursor -> {});
      assertSameRecords(listing.items(), selected(records, null, descending));
      assertPagesEndByBytes(listing);
    }
  }

  // --- G9 -----------------------------------------------------------------------------------

  @ParameterizedTest(name = "the active one is number {0}")
  @ValueSource(ints = {500, 999})
  final void g9_oneActiveAmongAThousand_isFound(int active) throws Exception {
    Instant now = now();
    List<VersionedRecord> records =
        insertMany(1_000, i -> value("data" + i, i == active, i % 2 == 0 ? null : now));
    List<RecordHead> expected = heads(List.of(records.get(active)));

    for (boolean descending : DIRECTIONS) {
      for (int limit : new int[] {25, 1_000}) {
        ListQuery query = new ListQuery(partition(), null, descending, limit);
        assertThat(followHeads(backend(), query, cursor -> {}).items())
            .as("active records, descending %s, limit %d", descending, limit)
            .isEqualTo(expected);
      }
    }
  }

  @ParameterizedTest(name = "pages of {0}")
  @ValueSource(ints = {1, 5, 100})
  final void g9_recordsThatAreNotActiveAnyMore_areLeftOutAndPassedOver(int limit) {
    List<VersionedRecord> records = new ArrayList<>();
    for (int i = 0; i < 21; i++) {
      RecordKey key = key("k%02d".formatted(i));
      VersionedRecord stored = insert(backend(), key, value("created"));
      if (i % 10 != 0) {
        stored = write(backend(), key, value("cleared", false, now()), 1);
      }
      records.add(stored);
    }
    for (boolean descending : DIRECTIONS) {
      assertListed(other(), partition(), records, null, descending, limit);
    }
  }

  @ParameterizedTest(name = "pages of {0}")
  @ValueSource(ints = {1, 7, 30, 31})
  final void g9_recordsThatHaveExpired_areListedLikeOthers(int limit) throws Exception {
    Instant past = now().minusSeconds(86_400);
    List<VersionedRecord> records =
        insertMany(31, i -> value("data", i % 2 == 0, i == 15 ? null : past.plusMillis(i)));
    for (StorageBackend instance : both()) {
      for (boolean descending : DIRECTIONS) {
        assertListed(instance, partition(), records, null, descending, limit);
      }
    }
  }

  @ParameterizedTest(name = "pages of {0}")
  @ValueSource(ints = {1, 2, 3, 9, 10})
  final void g9_corruptRecords_areReportedAndPassedOver(int limit) throws Exception {
    BackendStorage.Damage damage = require(Hook.DAMAGE, storage().damage());
    // The first, the last, and some that stand together.
    Set<Integer> damaged = Set.of(0, 3, 4, 5, 8);
    List<VersionedRecord> readable = new ArrayList<>();
    List<RecordKey> corrupt = new ArrayList<>();
    for (int i = 0; i < 9; i++) {
      VersionedRecord stored = insert(backend(), key("k" + i), value("data" + i));
      if (damaged.contains(i)) {
        corrupt.add(stored.key());
      } else {
        readable.add(stored);
      }
    }
    for (RecordKey key : corrupt) {
      damage.damage(key);
    }

    for (StorageBackend instance : both()) {
      assertListedWithCorrupt(instance, readable, corrupt, limit);
    }
  }

  @ParameterizedTest(name = "pages of {0}")
  @ValueSource(ints = {1, 2, 4, 5})
  final void g9_everyRecordIsCorrupt_listingEnds(int limit) throws Exception {
    BackendStorage.Damage damage = require(Hook.DAMAGE, storage().damage());
    List<RecordKey> corrupt = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      corrupt.add(insert(backend(), key("k" + i), value("data" + i)).key());
    }
    for (RecordKey key : corrupt) {
      damage.damage(key);
    }

    assertListedWithCorrupt(other(), List.of(), corrupt, limit);
  }

  // --- G13 ----------------------------------------------------------------------------------

  @Test
  final void g13_afterEveryKindOfWrite_listActiveAgreesWithList() {
    Steps steps = new Steps();
    Instant later = now().plusSeconds(3_600);
    Instant past = now().minusSeconds(3_600);

    steps.put("b", value("1"), 0);
    steps.put("a", value("1", true, later), 0);
    steps.put("d", value("1", true, past), 0);
    steps.put("c", value("1", false, later), 0);
    steps.createWithin("e", value("1", true, later));
    steps.createWithin("0", value("1"));
    // An update that keeps the flag: the data, then the expiry, changes.
    steps.put("b", value("2"), 1);
    steps.put("b", value("3", true, later.plusMillis(3)), 2);
    steps.put("b", value("4", true, past), 3);
    steps.put("b", value("5"), 4);
    // The flag is cleared, alone and together with the expiry.
    steps.put("a", value("2", false, later), 1);
    steps.put("e", value("2", false, null), 1);
    steps.put("d", value("2", false, later), 1);
    // An inactive record changes.
    steps.put("a", value("3", false, null), 2);
    // Deletes of active and of inactive ones, and the same keys once more.
    steps.delete("b", 5);
    steps.delete("a", 3);
    steps.put("b", value("again", true, later), 0);
    steps.createWithin("a", value("again", true, past));
    steps.delete("d", 2);
    steps.put("d", value("again", false, past), 0);
    // Writes that do not ask.
    steps.putAnyway("f", value("1", true, later), 1);
    steps.putAnyway("f", value("2", true, null), 2);
    steps.putAnyway("g", value("1"), 1);
    steps.putAnyway("g", value("2", false, null), 2);
    steps.deleteAnyway("f");
    steps.deleteAnyway("g");
    // Lost races change nothing.
    steps.conflict("0", value("late", false, null), 2);
    steps.conflict("b", value("late", true, past), 0);
    steps.conflict("missing", value("late"), 1);

    List<VersionedRecord> records = List.copyOf(steps.model.values());
    assertThat(records).hasSizeGreaterThan(5);
    for (StorageBackend instance : both()) {
      for (int limit = 1; limit <= records.size() + 1; limit++) {
        assertListed(instance, partition(), records, null, false, limit);
        assertListed(instance, partition(), records, null, true, limit);
      }
      assertEverySelection(instance, partition(), records, List.of("0", "a", "b", "c", "e", "f"));
    }
  }

  /** Writes through one instance, and looks through both after each step. */
  private final class Steps {
    private final TreeMap<String, VersionedRecord> model = new TreeMap<>(BYTES);

    void put(String id, RecordValue value, long expected) {
      model.put(id, write(backend(), key(id), value, expected));
      look();
    }

    void createWithin(String id, RecordValue value) {
      assertThat(other().createWithin(key(id), value, 50, now())).isEqualTo(Created.CREATED);
      model.put(id, new VersionedRecord(key(id), value, 1));
      look();
    }

    void putAnyway(String id, RecordValue value, long version) {
      assertThat(backend().put(key(id), value)).isEqualTo(version);
      model.put(id, new VersionedRecord(key(id), value, version));
      look();
    }

    void delete(String id, long expected) {
      assertThat(backend().deleteIfVersion(key(id), expected)).isEqualTo(Deleted.DELETED);
      model.remove(id);
      look();
    }

    void deleteAnyway(String id) {
      assertThat(other().delete(key(id))).isTrue();
      model.remove(id);
      look();
    }

    void conflict(String id, RecordValue value, long expected) {
      assertThat(backend().putIfVersion(key(id), value, expected)).isInstanceOf(Conflict.class);
      look();
    }

    private void look() {
      List<VersionedRecord> records = List.copyOf(model.values());
      for (StorageBackend instance : both()) {
        assertListed(instance, partition(), records, null, false, 100);
      }
    }
  }

  @Test
  final void g13_whileOthersComeAndGo_recordsThatStayActiveAreListed() throws Exception {
    recordsThatStayActiveAreListed(60);
  }

  @Test
  @Stress
  final void g13_whileOthersComeAndGoForLong_recordsThatStayActiveAreListed() throws Exception {
    recordsThatStayActiveAreListed(1_500);
  }

  private void recordsThatStayActiveAreListed(int rounds) throws Exception {
    int stable = 8;
    List<RecordKey> expected = new ArrayList<>();
    for (int i = 0; i < stable; i++) {
      expected.add(insert(backend(), key("s%d".formatted(i)), value("data")).key());
    }
    int writers = 2;
    AtomicInteger writing = new AtomicInteger(writers);
    Instant later = now().plusSeconds(3_600);

    race(
        2 * writers,
        number -> {
          StorageBackend instance = number % 2 == 0 ? backend() : other();
          if (number < writers) {
            try {
              for (int round = 0; round < rounds; round++) {
                changeAround(instance, number, round, expected, later);
              }
            } finally {
              writing.decrementAndGet();
            }
          } else {
            boolean descending = number % 2 == 0;
            List<RecordKey> inOrder = new ArrayList<>(expected);
            if (descending) {
              Collections.reverse(inOrder);
            }
            boolean last;
            int listings = 0;
            do {
              last = writing.get() == 0;
              ListQuery query = new ListQuery(partition(), null, descending, 1 + listings % 5);
              List<RecordKey> listed =
                  keys(followHeads(instance, query, cursor -> {}).items(), RecordHead::key);
              assertThat(listed.stream().filter(expected::contains).toList())
                  .as("records that stay active")
                  .isEqualTo(inOrder);
              listings++;
            } while (!last);
          }
          return number;
        });

    ListQuery query = new ListQuery(partition(), null, false, 100);
    assertThat(keys(followHeads(backend(), query, cursor -> {}).items(), RecordHead::key))
        .as("active records when all is over")
        .isEqualTo(expected);
  }

  /**
   * Updates one of the stable records, which writers share by turns, and lets another record live
   * its whole life next to it.
   */
  private void changeAround(
      StorageBackend instance, int writer, int round, List<RecordKey> stable, Instant later) {
    int turn = (2 * round + writer) % stable.size();
    RecordKey kept = stable.get(turn);
    Instant expiresAt = round % 3 == 0 ? null : later.plusMillis(round);
    write(instance, kept, value("r" + round, true, expiresAt), stored(instance, kept).version());
    RecordKey passing = key("s%d-%d-%d".formatted((turn + round) % stable.size(), writer, round));
    insert(instance, passing, value("passing", true, expiresAt));
    if (round % 2 == 0) {
      write(instance, passing, value("cleared", false, expiresAt), 1);
      assertThat(instance.deleteIfVersion(passing, 2)).isEqualTo(Deleted.DELETED);
    } else {
      assertThat(instance.deleteIfVersion(passing, 1)).isEqualTo(Deleted.DELETED);
    }
  }

  // --- helpers ------------------------------------------------------------------------------

  private List<StorageBackend> both() {
    return backend() == other() ? List.of(backend()) : List.of(backend(), other());
  }

  /** Ids whose order goes wrong in one way or another, in no order. */
  private static List<String> awkwardIds() {
    List<String> ids =
        new ArrayList<>(
            List.of(
                // Control characters, and the empty rest against any other.
                "\u0000",
                "\u0000\u0000",
                "\u0001",
                "\t",
                "\n",
                " ",
                "a\u0000",
                "a\u0001",
                "a\n",
                "a ",
                "a",
                "aa",
                "ab",
                "a!",
                "a-",
                "a.",
                "a/",
                "a/b",
                "a0",
                "a_",
                "a~",
                "a\u007f",
                // Digits are text.
                "0",
                "00",
                "1",
                "10",
                "2",
                "9",
                // Case is neither folded nor grouped.
                "A",
                "AA",
                "Ab",
                "aB",
                "B",
                "b",
                "Z",
                "_",
                "z",
                "~",
                "\u007f",
                // From one length of UTF-8 to the next; signed bytes turn these around.
                "\u0080",
                "\u00df",
                "\u00e9",
                "e\u0301",
                "\u00ff",
                "a\u00ff",
                "\u07ff",
                "\u0800",
                "\ud7ff",
                // UTF-16 puts what is outside of the basic plane before these.
                "\ue000",
                "\ufb01",
                "\ufeff",
                "\ufffd",
                "\uffff",
                "\ud800\udc00",
                "\ud83d\ude00",
                "\udbff\udfff",
                "a\ue000",
                "a\uffff",
                "a\ud800\udc00",
                "a\udbff\udfff"));
    ids.add("l".repeat(RecordKey.MAX_ID_BYTES));
    ids.add("l".repeat(RecordKey.MAX_ID_BYTES - 1));
    ids.add("l".repeat(RecordKey.MAX_ID_BYTES - 1) + "k");
    ids.add("l".repeat(RecordKey.MAX_ID_BYTES - 1) + "m");
    // The same order every time, which is not the one that is asked for.
    Collections.shuffle(ids, new Random(5));
    return ids;
  }

  /** Inserts records of ascending ids, by several threads. */
  private List<VersionedRecord> insertMany(int number, IntFunction<RecordValue> values)
      throws Exception {
    int threads = 8;
    TreeMap<String, VersionedRecord> records = new TreeMap<>(BYTES);
    race(
            threads,
            thread -> {
              List<VersionedRecord> mine = new ArrayList<>();
              for (int i = thread; i < number; i += threads) {
                mine.add(insert(backend(), key("k%05d".formatted(i)), values.apply(i)));
              }
              return mine;
            })
        .forEach(mine -> mine.forEach(stored -> records.put(stored.key().id(), stored)));
    return List.copyOf(records.values());
  }

  /** Checks listings of a partition from the start and from each cursor, in both directions. */
  private static void assertEverySelection(
      StorageBackend instance,
      String partition,
      List<VersionedRecord> ascending,
      Collection<String> cursors) {
    for (boolean descending : DIRECTIONS) {
      assertListed(instance, partition, ascending, null, descending, 100);
      for (String cursor : cursors) {
        assertListed(instance, partition, ascending, cursor, descending, 100);
      }
    }
  }

  /** Checks both kinds of listing: exactly these records, and the heads of the active ones. */
  private static void assertListed(
      StorageBackend instance,
      String partition,
      List<VersionedRecord> ascending,
      @Nullable String after,
      boolean descending,
      int limit) {
    ListQuery query = new ListQuery(partition, after, descending, limit);
    List<VersionedRecord> expected = selected(ascending, after, descending);
    Listing<VersionedRecord> records = followRecords(instance, query, cursor -> {});
    assertThat(records.items()).as("records of %s", query).isEqualTo(expected);
    assertThat(records.corrupt()).as("corrupt records of %s", query).isEmpty();
    Listing<RecordHead> heads = followHeads(instance, query, cursor -> {});
    assertThat(heads.items()).as("active records of %s", query).isEqualTo(heads(expected));
    assertThat(heads.corrupt()).as("corrupt records of %s", query).isEmpty();
  }

  private void assertListedWithCorrupt(
      StorageBackend instance, List<VersionedRecord> readable, List<RecordKey> corrupt, int limit) {
    for (boolean descending : DIRECTIONS) {
      ListQuery query = new ListQuery(partition(), null, descending, limit);
      Listing<VersionedRecord> records = followRecords(instance, query, cursor -> {});
      assertThat(records.items()).isEqualTo(selected(readable, null, descending));
      assertThat(records.corrupt())
          .as("corrupt records, pages of %d", limit)
          .containsExactlyInAnyOrderElementsOf(corrupt);

      // An index of active records may not come upon what is wrong with a record.
      Listing<RecordHead> heads = followHeads(instance, query, cursor -> {});
      List<RecordKey> active = new ArrayList<>(keys(heads.items(), RecordHead::key));
      active.removeAll(corrupt);
      assertThat(active)
          .isEqualTo(keys(selected(readable, null, descending), VersionedRecord::key));
      assertThat(corrupt).as("corrupt records of listActive").containsAll(heads.corrupt());
      assertThat(heads.corrupt()).doesNotHaveDuplicates();
    }
  }

  /** A page ends when it has the target, so what it has without its last record is below it. */
  private static void assertPagesEndByBytes(Listing<VersionedRecord> listing) {
    for (Page<VersionedRecord> page : listing.pages()) {
      long bytes = 0;
      for (VersionedRecord stored : page.items()) {
        assertThat(bytes)
            .as("bytes of a page before its last record")
            .isLessThanOrEqualTo(RecordPage.TARGET_BYTES);
        bytes += stored.value().data().size();
      }
    }
  }

  /** Compares large records without printing them. */
  private static void assertSameRecords(
      List<VersionedRecord> actual, List<VersionedRecord> expected) {
    assertThat(keys(actual, VersionedRecord::key)).isEqualTo(keys(expected, VersionedRecord::key));
    assertThat(actual.equals(expected)).as("the records are what was stored").isTrue();
  }

  /** What of the records lies after the cursor, in the order of the listing. */
  private static List<VersionedRecord> selected(
      List<VersionedRecord> ascending, @Nullable String after, boolean descending) {
    List<VersionedRecord> selected = new ArrayList<>();
    for (VersionedRecord stored : ascending) {
      if (after == null || isAfter(stored.key().id(), after, descending)) {
        selected.add(stored);
      }
    }
    if (descending) {
      Collections.reverse(selected);
    }
    return selected;
  }

  private static boolean isAfter(String id, String cursor, boolean descending) {
    return descending ? BYTES.compare(id, cursor) < 0 : BYTES.compare(id, cursor) > 0;
  }

  private static List<RecordHead> heads(List<VersionedRecord> records) {
    return records.stream()
        .filter(stored -> stored.value().active())
        .map(stored -> new RecordHead(stored.key(), stored.value().expiresAt()))
        .toList();
  }

  private static <T> List<RecordKey> keys(List<T> items, Function<T, RecordKey> keyOf) {
    return items.stream().map(keyOf).toList();
  }

  private static Listing<VersionedRecord> followRecords(
      StorageBackend instance, ListQuery query, Consumer<String> betweenPages) {
    return follow(
        query,
        next -> {
          RecordPage page = instance.list(next);
          return new Page<>(page.records(), page.corrupt(), page.next());
        },
        VersionedRecord::key,
        betweenPages);
  }

  private static Listing<RecordHead> followHeads(
      StorageBackend instance, ListQuery query, Consumer<String> betweenPages) {
    return follow(
        query,
        next -> {
          HeadPage page = instance.listActive(next);
          return new Page<>(page.heads(), page.corrupt(), page.next());
        },
        RecordHead::key,
        betweenPages);
  }

  /** Follows a listing to its end, and checks what every page must keep to. */
  private static <T> Listing<T> follow(
      ListQuery query,
      Function<ListQuery, Page<T>> list,
      Function<T, RecordKey> keyOf,
      Consumer<String> betweenPages) {
    List<Page<T>> pages = new ArrayList<>();
    ListQuery current = query;
    while (true) {
      Page<T> page = list.apply(current);
      checkPage(current, page, keyOf);
      pages.add(page);
      assertThat(pages.size()).as("pages of a listing that must end").isLessThan(MAX_PAGES);
      String next = page.next();
      if (next == null) {
        return new Listing<>(pages);
      }
      betweenPages.accept(next);
      current = current.withAfter(next);
    }
  }

  private static <T> void checkPage(ListQuery query, Page<T> page, Function<T, RecordKey> keyOf) {
    String after = query.after();
    String next = page.next();
    assertThat(page.items().size() + page.corrupt().size())
        .as("size of a page of %s", query)
        .isLessThanOrEqualTo(query.limit());
    List<String> ids = new ArrayList<>();
    for (RecordKey key : keys(page.items(), keyOf)) {
      assertThat(key.partition())
          .as("partition in a page of %s", query)
          .isEqualTo(query.partition());
      if (!ids.isEmpty()) {
        assertThat(isAfter(key.id(), ids.get(ids.size() - 1), query.descending()))
            .as("%s is in order in a page of %s", key, query)
            .isTrue();
      }
      ids.add(key.id());
    }
    for (CorruptRecord corrupt : page.corrupt()) {
      assertThat(corrupt.key().partition()).isEqualTo(query.partition());
      ids.add(corrupt.key().id());
    }
    assertThat(ids).as("ids of a page of %s", query).doesNotHaveDuplicates();
    for (String id : ids) {
      assertThat(after == null || isAfter(id, after, query.descending()))
          .as("%s is after the cursor of %s", new RecordKey(query.partition(), id), query)
          .isTrue();
      assertThat(next == null || !isAfter(id, next, query.descending()))
          .as("%s is not after the next cursor of %s", new RecordKey(query.partition(), id), query)
          .isTrue();
    }
    assertThat(next == null || after == null || isAfter(next, after, query.descending()))
        .as("the cursor of %s moves on", query)
        .isTrue();
  }
}
