// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.contract.Samples.listAll;
import static io.taskstore.contract.Samples.listAllActive;
import static io.taskstore.contract.Samples.value;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.contract.Interleavings.Explored;
import io.taskstore.contract.Interleavings.Order;
import io.taskstore.contract.Interleavings.Outcome;
import io.taskstore.contract.Interleavings.Trial;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Contended;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.Created;
import io.taskstore.spi.Full;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Statements C in every order of the steps of two calls, see {@link Interleavings}: what threads
 * meet once in a million runs is met here in every run. Each order begins with the same records in
 * a partition of its own. It passes if one call after the other, in one of the two orders, gives
 * the same results and leaves the same records.
 */
abstract class InterleavingStatements extends VersionStatements {
  /** A limit of createWithin that nobody reaches. */
  private static final int NO_LIMIT = 1_000;

  private final Instant now = Samples.now();
  private final Instant past = now.minusSeconds(3_600);
  private final Instant later = now.plusSeconds(3_600);
  private final Instant muchLater = now.plusSeconds(7_200);

  // --- one key, two writes --------------------------------------------------------------------

  @Test
  final void c1_createsInEverySchedule_oneSucceeds() throws Exception {
    Explored explored =
        inEveryScheduleOfInstances(
            stage ->
                stage.race(
                    put("first", stage.key("id"), value("first", true, later), 0),
                    put("second", stage.key("id"), value("second", false, null), 0)));
    assertReached(explored);
  }

  @Test
  final void c1_createsBesideOtherRecordsInEverySchedule_oneSucceeds() throws Exception {
    Explored explored =
        inEveryScheduleOfInstances(
            stage -> {
              stage.given("a", value("a", true, later));
              stage.given("z", value("z", false, null));
              return stage.race(
                  put("first", stage.key("id"), value("first", false, null), 0),
                  put("second", stage.key("id"), value("second", true, later), 0));
            });
    assertReached(explored);
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(Change.class)
  final void c2_c5_updatesInEverySchedule_oneWins(Change change) throws Exception {
    Explored explored =
        inEveryScheduleOfInstances(
            stage -> {
              RecordKey key = stage.given("id", value("old", true, later));
              return stage.race(
                  put("first", key, change.value(this), 1),
                  put("second", key, value("second", true, muchLater), 1));
            });
    assertReached(explored);
  }

  @Test
  final void c5_updateOnTheOthersVersionInEverySchedule_followsItOrConflicts() throws Exception {
    Explored explored =
        inEverySchedule(
            stage -> {
              RecordKey key = stage.given("id", value("old", true, later));
              return stage.race(
                  put("first", key, value("first", true, null), 1),
                  put("second", key, value("second", false, muchLater), 2));
            });
    assertReached(explored);
  }

  @Test
  final void c4_putsInEverySchedule_getDistinctVersions() throws Exception {
    for (boolean exists : List.of(true, false)) {
      inEverySchedule(
          stage -> {
            RecordKey key = stage.key("id");
            if (exists) {
              stage.given("id", value("old", true, later));
            }
            return stage.race(
                overwrite("first", key, value("first", true, muchLater)),
                overwrite("second", key, value("second", true, null)));
          });
    }
  }

  @Test
  final void c4_c5_putAndUpdateInEverySchedule_neverOnOneVersion() throws Exception {
    inEveryScheduleOfInstances(
        stage -> {
          RecordKey key = stage.given("id", value("old", true, later));
          return stage.race(
              // Not active, as the other: whichever comes last, the flag is not set again.
              overwrite("put", key, value("first", false, null)),
              put("update", key, value("second", false, muchLater), 1));
        });
  }

  // --- one key, with deletes ------------------------------------------------------------------

  @ParameterizedTest(name = "{0}")
  @EnumSource(Change.class)
  final void c6_updateAndDeleteInEverySchedule_oneWins(Change change) throws Exception {
    inEveryScheduleOfInstances(
        stage -> {
          RecordKey key = stage.given("id", value("old", true, later));
          return stage.race(put("update", key, change.value(this), 1), delete("delete", key, 1));
        });
  }

  @Test
  final void c6_deletesInEverySchedule_oneWins() throws Exception {
    for (boolean alone : List.of(true, false)) {
      inEverySchedule(
          stage -> {
            RecordKey key = stage.given("id", value("old", true, later));
            if (!alone) {
              stage.given("other", value("other", true, null));
            }
            return stage.race(delete("first", key, 1), delete("second", key, 1));
          });
    }
  }

  @Test
  final void c6_createAndDeleteInEverySchedule_leaveTheOldOrTheNewRecord() throws Exception {
    for (boolean alone : List.of(true, false)) {
      inEveryScheduleOfInstances(
          stage -> {
            RecordKey key = stage.given("id", value("old", true, later));
            if (!alone) {
              stage.given("other", value("other", true, null));
            }
            return stage.race(
                put("create", key, value("new", true, muchLater), 0), delete("delete", key, 1));
          });
    }
  }

  @Test
  final void c6_unconditionalDeleteInEverySchedule_takesTheRecordOrComesFirst() throws Exception {
    inEverySchedule(
        stage -> {
          RecordKey key = stage.given("id", value("old", true, later));
          return stage.race(
              put("update", key, value("new", true, null), 1), deleteAny("delete", key));
        });
    inEverySchedule(
        stage -> {
          RecordKey key = stage.given("id", value("old", true, later));
          return stage.race(
              overwrite("put", key, value("new", true, null)), deleteAny("delete", key));
        });
    inEverySchedule(
        stage -> {
          RecordKey key = stage.given("id", value("old", true, later));
          return stage.race(deleteAny("first", key), deleteAny("second", key));
        });
  }

  // --- purges ---------------------------------------------------------------------------------

  @ParameterizedTest(name = "{0}")
  @ValueSource(booleans = {true, false})
  final void c7_purgeInEveryScheduleOfAWriteThatMovesTheExpiry_leavesWhatWasWritten(boolean toNever)
      throws Exception {
    requirePurges();
    for (boolean alone : List.of(true, false)) {
      inEveryScheduleOfInstances(
          stage -> {
            RecordKey key = stage.given("id", value("due", true, past));
            if (!alone) {
              stage.given("due", value("due", true, past));
              stage.given("other", value("other", true, later));
            }
            return stage.race(
                purge("purge", 100),
                put("update", key, value("moved", true, toNever ? null : later), 1));
          });
    }
  }

  @Test
  final void c7_purgeInEveryScheduleOfADeleteAndACreate_countsWhatItRemoved() throws Exception {
    requirePurges();
    inEverySchedule(
        stage -> {
          RecordKey key = stage.given("id", value("due", true, past));
          stage.given("other", value("due", false, past));
          return stage.race(purge("purge", 100), delete("delete", key, 1));
        });
    inEverySchedule(
        stage -> {
          RecordKey key = stage.given("id", value("due", true, past));
          return stage.race(purge("purge", 100), put("create", key, value("new", true, later), 0));
        });
    inEverySchedule(
        stage -> {
          stage.given("due", value("due", true, past));
          return stage.race(
              purge("purge", 100), put("create", stage.key("id"), value("new", true, later), 0));
        });
  }

  @Test
  final void c7_purgesInEverySchedule_countEachRecordOnce() throws Exception {
    requirePurges();
    inEveryScheduleOfInstances(
        stage -> {
          stage.given("a", value("due", true, past));
          stage.given("b", value("due", false, past));
          stage.given("c", value("due", true, past));
          RecordKey left = stage.given("left", value("later", true, later));
          return stage.trial(
              purge("first", 100),
              purge("second", 100),
              outcome -> {
                assertThat((Integer) outcome.first() + (Integer) outcome.second())
                    .as(
                        "the sum of what two purges of 3 records say, %s and %s",
                        outcome.first(), outcome.second())
                    .isEqualTo(3);
                assertThat(Samples.ids(listAll(stage.backend, stage.partition, false, 10)))
                    .as("what two purges have left")
                    .containsExactly(left.id());
              });
        });
  }

  // --- a read and a write ---------------------------------------------------------------------

  @ParameterizedTest(name = "{0}")
  @EnumSource(Change.class)
  final void a12_c5_c9_getInEveryScheduleOfAnUpdate_isTheOldOrTheNewRecord(Change change)
      throws Exception {
    inEveryScheduleOfInstances(
        stage -> {
          RecordKey key = stage.given("id", value("old", true, later));
          return stage.race(get("get", key), put("update", key, change.value(this), 1));
        });
  }

  @Test
  final void a12_c6_getInEveryScheduleOfADelete_isTheRecordOrAbsent() throws Exception {
    inEverySchedule(
        stage -> {
          RecordKey key = stage.given("id", value("old", true, later));
          return stage.race(get("get", key), delete("delete", key, 1));
        });
    inEverySchedule(
        stage ->
            stage.race(
                get("get", stage.key("id")),
                put("create", stage.key("id"), value("new", true, later), 0)));
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(Listing.class)
  final void a12_c8_c14_listingInEveryScheduleOfAnUpdate_missesNothing(Listing listing)
      throws Exception {
    for (Change change : Change.values()) {
      inEverySchedule(
          stage -> {
            RecordKey key = stage.given("m", value("old", true, later));
            stage.givenNeighbours();
            return stage.race(
                listing.call(stage.partition), put("update", key, change.value(this), 1));
          });
    }
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(Listing.class)
  final void c8_c14_listingInEveryScheduleOfACreateOrADelete_keepsTheOthers(Listing listing)
      throws Exception {
    for (String id : List.of("0", "m", "zz")) {
      inEverySchedule(
          stage -> {
            stage.givenNeighbours();
            return stage.race(
                listing.call(stage.partition),
                put("create", stage.key(id), value("new", true, later), 0));
          });
      inEverySchedule(
          stage -> {
            stage.givenNeighbours();
            return stage.race(
                listing.call(stage.partition),
                createWithin("create", stage.key(id), value("new", true, null), NO_LIMIT));
          });
      inEverySchedule(
          stage -> {
            RecordKey key = stage.given(id, value("old", true, later));
            stage.givenNeighbours();
            return stage.race(listing.call(stage.partition), delete("delete", key, 1));
          });
    }
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(Change.class)
  final void a12_c8_c13_readsInEveryScheduleOfAnUpdate_neverGoBack(Change change) throws Exception {
    inEveryScheduleOfInstances(
        stage -> {
          RecordKey key = stage.given("m", value("old", true, later));
          return stage.raceReads(key, put("update", key, change.value(this), 1));
        });
  }

  @Test
  final void a12_c8_c13_readsInEveryScheduleOfACreateOrADelete_neverGoBack() throws Exception {
    inEveryScheduleOfInstances(
        stage -> {
          RecordKey key = stage.key("m");
          return stage.raceReads(key, put("create", key, value("new", true, later), 0));
        });
    inEveryScheduleOfInstances(
        stage -> {
          stage.given("a", value("a", true, later));
          RecordKey key = stage.key("m");
          return stage.raceReads(
              key, createWithin("create", key, value("new", true, null), NO_LIMIT));
        });
    inEveryScheduleOfInstances(
        stage -> {
          RecordKey key = stage.given("m", value("old", true, later));
          return stage.raceReads(key, delete("delete", key, 1));
        });
  }

  // --- two keys -------------------------------------------------------------------------------

  @Test
  final void c10_firstCreatesOfAPartitionInEverySchedule_bothSucceed() throws Exception {
    inEveryScheduleOfInstances(
        stage ->
            stage.race(
                put("first", stage.key("a"), value("a", true, later), 0),
                put("second", stage.key("b"), value("b", false, null), 0)));
    inEveryScheduleOfInstances(
        stage ->
            stage.race(
                createWithin("first", stage.key("a"), value("a", true, later), NO_LIMIT),
                put("second", stage.key("b"), value("b", true, null), 0)));
  }

  @Test
  final void c10_lastDeleteOfAPartitionAndACreateInEverySchedule_bothSucceed() throws Exception {
    inEveryScheduleOfInstances(
        stage -> {
          RecordKey only = stage.given("only", value("only", true, later));
          return stage.race(
              delete("delete", only, 1),
              put("create", stage.key("id"), value("new", true, later), 0));
        });
    inEveryScheduleOfInstances(
        stage -> {
          RecordKey only = stage.given("only", value("only", true, later));
          return stage.race(
              delete("delete", only, 1),
              createWithin("create", stage.key("id"), value("new", true, null), NO_LIMIT));
        });
  }

  @Test
  final void c10_writesOfTwoKeysInEverySchedule_bothSucceed() throws Exception {
    inEverySchedule(
        stage -> {
          RecordKey a = stage.given("a", value("a", true, later));
          RecordKey b = stage.given("b", value("b", false, null));
          return stage.race(delete("first", a, 1), delete("second", b, 1));
        });
    for (Change change : Change.values()) {
      inEverySchedule(
          stage -> {
            RecordKey a = stage.given("a", value("a", true, later));
            RecordKey b = stage.given("b", value("b", true, later));
            return stage.race(
                put("first", a, change.value(this), 1),
                put("second", b, value("second", false, null), 1));
          });
    }
  }

  // --- creates within a limit -----------------------------------------------------------------

  @Test
  final void c11_createsForTheLastPlaceInEverySchedule_oneIsAdmitted() throws Exception {
    boolean exact = overridesCreateWithin();
    inEveryScheduleOfInstances(
        stage -> {
          stage.given("active", value("active", true, later));
          stage.given("inactive", value("inactive", false, later));
          stage.given("expired", value("expired", true, past));
          RecordKey first = stage.key("first");
          RecordKey second = stage.key("second");
          return stage.trial(
              createWithin("first", first, value("first", true, later), 2),
              createWithin("second", second, value("second", true, null), 2),
              outcome -> checkLastPlace(stage, exact, outcome));
        });
  }

  @Test
  final void c1_c11_createsWithinALimitOfOneKeyInEverySchedule_oneSucceeds() throws Exception {
    inEverySchedule(
        stage ->
            stage.race(
                createWithin("first", stage.key("id"), value("first", true, later), 1),
                createWithin("second", stage.key("id"), value("second", true, null), 1)));
    inEverySchedule(
        stage ->
            stage.race(
                createWithin("first", stage.key("id"), value("first", true, later), 1),
                put("second", stage.key("id"), value("second", true, null), 0)));
  }

  @Test
  final void c11_sameCreateTwiceInEverySchedule_isCreatedOnce() throws Exception {
    inEveryScheduleOfInstances(
        stage -> {
          RecordValue value = value("new", true, later);
          return stage.race(
              createWithin("call", stage.key("id"), value, 1),
              createWithin("repeat", stage.key("id"), value, 1));
        });
  }

  @Test
  final void c11_createInEveryScheduleOfAWriteThatTakesAPlace_countsItOrComesFirst()
      throws Exception {
    inEveryScheduleOfInstances(
        stage ->
            stage.race(
                createWithin("create", stage.key("id"), value("new", true, later), 1),
                put("put", stage.key("other"), value("other", true, null), 0)));
    inEveryScheduleOfInstances(
        stage -> {
          RecordKey expired = stage.given("expired", value("expired", true, past));
          return stage.race(
              createWithin("create", stage.key("id"), value("new", true, later), 1),
              put("extend", expired, value("extended", true, later), 1));
        });
  }

  @Test
  final void c11_createInEveryScheduleOfAWriteThatFreesAPlace_isFullOrCreated() throws Exception {
    inEveryScheduleOfInstances(
        stage -> {
          RecordKey other = stage.given("other", value("other", true, null));
          return stage.race(
              createWithin("create", stage.key("id"), value("new", true, later), 1),
              delete("delete", other, 1));
        });
    inEveryScheduleOfInstances(
        stage -> {
          RecordKey other = stage.given("other", value("other", true, later));
          return stage.race(
              createWithin("create", stage.key("id"), value("new", true, later), 1),
              put("end", other, value("ended", false, later), 1));
        });
    inEveryScheduleOfInstances(
        stage -> {
          RecordKey other = stage.given("other", value("other", true, later));
          return stage.race(
              createWithin("create", stage.key("id"), value("new", true, null), 1),
              put("expire", other, value("expired", true, past), 1));
        });
  }

  private void checkLastPlace(Stage stage, boolean exact, Outcome outcome) {
    List<Object> results = List.of(outcome.first(), outcome.second());
    List<String> expectedIds = new ArrayList<>(List.of("active", "expired"));
    if (outcome.first() == Created.CREATED) {
      expectedIds.add("first");
    }
    expectedIds.add("inactive");
    if (outcome.second() == Created.CREATED) {
      expectedIds.add("second");
    }
    assertThat(Samples.ids(listAll(stage.backend, stage.partition, false, 10)))
        .as("what two creates for one place left that returned %s", results)
        .isEqualTo(expectedIds);
    expectedIds.remove("inactive");
    assertThat(Samples.headIds(listAllActive(stage.backend, stage.partition, false, 10)))
        .as("the active records after two creates for one place that returned %s", results)
        .isEqualTo(expectedIds);
    if (exact) {
      assertThat(results)
          .as("the results of two creates for one place")
          .containsExactlyInAnyOrder(Created.CREATED, Full.FULL);
    } else {
      assertThat(results)
          .as("the results of two creates for one place")
          .containsAnyOf(Created.CREATED, new Contended(false))
          .isSubsetOf(Created.CREATED, Full.FULL, new Contended(false));
    }
    if (outcome.order() != Order.OVERLAPPING) {
      assertThat(outcome.order() == Order.FIRST_BEFORE_SECOND ? results.get(0) : results.get(1))
          .as("the result of the create that ran alone, before the other")
          .isEqualTo(Created.CREATED);
    }
    boolean filled = results.contains(Created.CREATED);
    assertThat(results.stream().filter(result -> result == Created.CREATED).count())
        .as("how many creates got the one place")
        .isLessThanOrEqualTo(1);
    assertThat(stage.backend.createWithin(stage.key("third"), value("third"), 2, now))
        .as("a create after two creates for one place that returned %s", results)
        .isEqualTo(filled ? Full.FULL : Created.CREATED);
  }

  // --- what the tests are made of -------------------------------------------------------------

  /** Whether creates are exact, rather than withdrawn where too many race. */
  final boolean overridesCreateWithin() {
    return overrides("createWithin", RecordKey.class, RecordValue.class, int.class, Instant.class);
  }

  /** Whether the backend has its own version of a method that has a default. */
  final boolean overrides(String method, Class<?>... parameters) {
    try {
      return backend().getClass().getMethod(method, parameters).getDeclaringClass()
          != StorageBackend.class;
    } catch (NoSuchMethodException e) {
      throw new AssertionError("The interface has no such method any more", e);
    }
  }

  private void requirePurges() {
    if (traits().purgesItself()) {
      throw ExcludedException.byTraits(
          "purges by itself, so nobody knows how many records a purge removes");
    }
  }

  private static void assertReached(Explored explored) {
    assertThat(List.of(explored.firstPoints(), explored.secondPoints()))
        .as("how often the pause point was reached in a call of putIfVersion")
        .allMatch(points -> points > 0);
  }

  /** Makes the records that each schedule begins with, and says which calls race. */
  @FunctionalInterface
  private interface Scene {
    Trial set(Stage stage);
  }

  private Explored inEverySchedule(Scene scene) throws Exception {
    Interleavings interleavings = new Interleavings();
    StorageBackend backend = openInterleaved(newStorage(), interleavings);
    return inEverySchedule(interleavings, backend, backend, scene);
  }

  /** Makes the second call through another instance too, where the hook opens two on a storage. */
  private Explored inEveryScheduleOfInstances(Scene scene) throws Exception {
    Interleavings interleavings = new Interleavings();
    BackendStorage storage = newStorage();
    StorageBackend first = openInterleaved(storage, interleavings);
    StorageBackend second = openInterleaved(storage, interleavings);
    RecordKey shared = key("shared");
    Samples.insert(first, shared, value("shared"));
    if (second.get(shared).isPresent()) {
      inEverySchedule(interleavings, first, second, scene);
    }
    return inEverySchedule(interleavings, first, first, scene);
  }

  private StorageBackend openInterleaved(BackendStorage storage, Interleavings interleavings)
      throws Exception {
    BackendStorage.Interleaving hook = require(Hook.INTERLEAVING, storage.interleaving());
    return closeLater(hook.open(interleavings::pausePoint));
  }

  private Explored inEverySchedule(
      Interleavings interleavings, StorageBackend first, StorageBackend second, Scene scene)
      throws Exception {
    String name = partition() + (first == second ? "-one-" : "-two-");
    AtomicInteger number = new AtomicInteger();
    return interleavings.explore(
        () -> scene.set(new Stage(first, second, name + number.incrementAndGet())));
  }

  /** What an update changes of an active record that expires later. */
  enum Change {
    DATA,
    EXPIRY,
    NO_EXPIRY,
    EXPIRED,
    INACTIVE,
    INACTIVE_AND_EXPIRY;

    private RecordValue value(InterleavingStatements test) {
      Instant expiry =
          switch (this) {
            case DATA, INACTIVE -> test.later;
            case EXPIRY -> test.muchLater;
            case NO_EXPIRY, INACTIVE_AND_EXPIRY -> null;
            case EXPIRED -> test.past;
          };
      boolean active = this != INACTIVE && this != INACTIVE_AND_EXPIRY;
      return Samples.value("changed " + this, active, expiry);
    }
  }

  /** The ways to list a partition. */
  enum Listing {
    ASCENDING,
    DESCENDING_PAGED,
    ACTIVE_PAGED,
    ACTIVE_DESCENDING;

    private Op call(String partition) {
      return switch (this) {
        case ASCENDING ->
            new Op("list", backend -> new Listed(listAll(backend, partition, false, 10)));
        case DESCENDING_PAGED ->
            new Op("list", backend -> new Listed(listAll(backend, partition, true, 1)));
        case ACTIVE_PAGED ->
            new Op("listActive", backend -> new Heads(listAllActive(backend, partition, false, 1)));
        case ACTIVE_DESCENDING ->
            new Op("listActive", backend -> new Heads(listAllActive(backend, partition, true, 10)));
      };
    }
  }

  /** A call that can be made on the backend and on the model. */
  private record Op(String name, Function<StorageBackend, Object> call) {}

  /** What list returned, shown briefly. */
  private record Listed(List<VersionedRecord> records) {
    @Override
    public String toString() {
      return records.stream()
          .map(stored -> stored.key().id() + " with version " + stored.version())
          .toList()
          .toString();
    }
  }

  /** What listActive returned, shown briefly. */
  private record Heads(List<RecordHead> heads) {
    /** Whether it is what it should be, where {@code ended} may still be listed. */
    boolean agreesWith(Heads right, Set<RecordKey> ended) {
      return heads.stream()
          .filter(head -> right.heads.contains(head) || !ended.contains(head.key()))
          .toList()
          .equals(right.heads);
    }

    @Override
    public String toString() {
      return heads.stream()
          .map(head -> head.key().id() + " until " + head.expiresAt())
          .toList()
          .toString();
    }
  }

  /** What a reader saw, one read after the other. */
  private record Reads(List<Object> seen) {}

  /** Reads a record in all ways, so that each way follows upon each other one. */
  private static Op reads(RecordKey key) {
    Op list = Listing.ASCENDING.call(key.partition());
    Op listActive = Listing.ACTIVE_DESCENDING.call(key.partition());
    return new Op(
        "reads",
        backend ->
            new Reads(
                List.of(
                    backend.get(key),
                    listActive.call().apply(backend),
                    backend.get(key),
                    list.call().apply(backend),
                    listActive.call().apply(backend),
                    list.call().apply(backend),
                    backend.get(key))));
  }

  private static Op put(String name, RecordKey key, RecordValue value, long expected) {
    return new Op(name, backend -> backend.putIfVersion(key, value, expected));
  }

  private static Op overwrite(String name, RecordKey key, RecordValue value) {
    return new Op(name, backend -> backend.put(key, value));
  }

  private static Op delete(String name, RecordKey key, long expected) {
    return new Op(name, backend -> backend.deleteIfVersion(key, expected));
  }

  private static Op deleteAny(String name, RecordKey key) {
    return new Op(name, backend -> backend.delete(key));
  }

  private static Op get(String name, RecordKey key) {
    return new Op(name, backend -> backend.get(key));
  }

  private Op purge(String name, int limit) {
    return new Op(name, backend -> backend.purgeExpired(now, limit));
  }

  private Op createWithin(String name, RecordKey key, RecordValue value, int max) {
    return new Op(name, backend -> backend.createWithin(key, value, max, now));
  }

  /** A fresh partition for one schedule, and the model of what is in it. */
  private final class Stage {
    final StorageBackend backend;
    final StorageBackend other;
    final String partition;
    private final SequentialModel initial = new SequentialModel();

    Stage(StorageBackend backend, StorageBackend other, String partition) {
      this.backend = backend;
      this.other = other;
      this.partition = partition;
    }

    RecordKey key(String id) {
      return new RecordKey(partition, id);
    }

    /** Stores a record that is there before the two calls. */
    RecordKey given(String id, RecordValue value) {
      RecordKey key = key(id);
      Samples.insert(backend, key, value);
      Samples.insert(initial, key, value);
      return key;
    }

    /** Stores active, inactive and expired records around the id "m". */
    void givenNeighbours() {
      given("a", value("a", true, null));
      given("c", value("c", false, later));
      given("l", value("l", true, later));
      given("n", value("n", true, past));
      given("z", value("z", true, muchLater));
    }

    Trial race(Op first, Op second) {
      return trial(first, second, outcome -> checkExplained(first, second, outcome));
    }

    Trial trial(Op first, Op second, Interleavings.Check check) {
      return new Trial(
          new Interleavings.Call(first.name(), () -> first.call().apply(backend)),
          new Interleavings.Call(second.name(), () -> second.call().apply(other)),
          outcome -> {
            check.check(outcome);
            // so that a purge of the next schedule meets its own records only
            for (VersionedRecord left : listAll(backend, partition, false, 100)) {
              backend.deleteIfVersion(left.key(), left.version());
            }
          });
    }

    /** Lets one read after the other race with a write. */
    Trial raceReads(RecordKey key, Op write) {
      Op reads = reads(key);
      return trial(reads, write, outcome -> checkReads(reads, write, outcome));
    }

    private void checkReads(Op reads, Op write, Outcome outcome) {
      SequentialModel model = initial.copy();
      List<Object> before = ((Reads) reads.call().apply(model)).seen();
      assertThat(outcome.second())
          .as("the result of %s", write.name())
          .isEqualTo(write.call().apply(model));
      List<Object> after = ((Reads) reads.call().apply(model)).seen();
      List<Object> seen = ((Reads) outcome.first()).seen();
      boolean done = outcome.order() == Order.SECOND_BEFORE_FIRST;
      for (int i = 0; i < seen.size(); i++) {
        boolean isAfter = agree(seen.get(i), after.get(i), List.of(model), ended(model));
        boolean isBefore = seen.get(i).equals(before.get(i));
        assertThat(isAfter || (isBefore && !done))
            .as(
                "read number %d of %s, which is that of %s %s",
                i + 1, seen, done ? "after" : "before or after", write.name())
            .isTrue();
        done |= !isBefore;
      }
      if (outcome.order() == Order.FIRST_BEFORE_SECOND) {
        assertThat(seen).as("what was read before %s", write.name()).isEqualTo(before);
      }
    }

    private void checkExplained(Op first, Op second, Outcome outcome) {
      List<String> differences = new ArrayList<>();
      SequentialModel after = null;
      if (outcome.order() != Order.SECOND_BEFORE_FIRST) {
        SequentialModel model = initial.copy();
        String difference = difference(model, first, outcome.first(), second, outcome.second());
        if (difference == null) {
          after = model;
        } else {
          differences.add(first.name() + " before " + second.name() + ": " + difference);
        }
      }
      if (after == null && outcome.order() != Order.FIRST_BEFORE_SECOND) {
        SequentialModel model = initial.copy();
        String difference = difference(model, second, outcome.second(), first, outcome.first());
        if (difference == null) {
          after = model;
        } else {
          differences.add(second.name() + " before " + first.name() + ": " + difference);
        }
      }
      if (after == null) {
        throw new AssertionError(
            "No order of two calls explains what they returned and left.\n"
                + String.join("\n", differences));
      }
      checkIndexes(after);
    }

    /** What cannot be if the calls were made in this order; null if all can. */
    private @Nullable String difference(
        SequentialModel model, Op earlier, Object earlierResult, Op later, Object laterResult) {
      Object rightEarlier = earlier.call().apply(model);
      SequentialModel between = model.copy();
      Object rightLater = later.call().apply(model);
      Set<RecordKey> ended = ended(model);
      if (!agree(earlierResult, rightEarlier, List.of(between, model), ended)) {
        return earlier.name() + " returns " + rightEarlier + ", but returned " + earlierResult;
      }
      if (!agree(laterResult, rightLater, List.of(model), ended)) {
        return later.name() + " returns " + rightLater + ", but returned " + laterResult;
      }
      for (RecordKey key : touched(model)) {
        for (StorageBackend reader : List.of(backend, other)) {
          Optional<VersionedRecord> stored = reader.get(key);
          if (!stored.equals(model.get(key))) {
            return "get returns " + model.get(key) + " afterwards, but returned " + stored;
          }
        }
      }
      for (Listing listing : Listing.values()) {
        Op read = listing.call(partition);
        Object listed = read.call().apply(other);
        Object right = read.call().apply(model);
        if (!agree(listed, right, List.of(model), ended)) {
          return listing + " listing returns " + right + " afterwards, but returned " + listed;
        }
      }
      return null;
    }

    private boolean agree(
        Object found, Object right, List<SequentialModel> since, Set<RecordKey> ended) {
      if (right instanceof Conflict lost && found instanceof Conflict conflict) {
        // The winner may be newer than the comparison, never older.
        VersionedRecord winner = conflict.winner();
        VersionedRecord any = winner == null ? lost.winner() : winner;
        return conflict.equals(lost)
            || (any != null
                && since.stream()
                    .anyMatch(model -> model.get(any.key()).equals(Optional.ofNullable(winner))));
      }
      if (right instanceof Heads heads && found instanceof Heads foundHeads) {
        return foundHeads.agreesWith(heads, ended);
      }
      return found.equals(right);
    }

    /** Records that have lost their flag, and may still be listed as active for a moment. */
    private Set<RecordKey> ended(SequentialModel model) {
      Set<RecordKey> ended = new LinkedHashSet<>();
      for (RecordKey key : model.keys()) {
        boolean wasActive = initial.get(key).map(stored -> stored.value().active()).orElse(false);
        if (wasActive && !model.get(key).orElseThrow().value().active()) {
          ended.add(key);
        }
      }
      return ended;
    }

    private Set<RecordKey> touched(SequentialModel model) {
      Set<RecordKey> keys = new LinkedHashSet<>(initial.keys());
      keys.addAll(model.keys());
      return keys;
    }

    /** Asks the indexes that only creates and purges use. */
    private void checkIndexes(SequentialModel after) {
      long active =
          after.keys().stream()
              .map(key -> after.get(key).orElseThrow().value())
              .filter(value -> value.active() && !value.isExpired(now))
              .count();
      if (ended(after).isEmpty()) {
        RecordKey probe = key("probe");
        CreateResult withPlace = backend.createWithin(probe, value("probe"), (int) active + 1, now);
        assertThat(withPlace)
            .as(
                "createWithin(max %d) after the two calls, of which %d are active",
                active + 1, active)
            .isEqualTo(Created.CREATED);
        assertThat(backend.createWithin(key("probe2"), value("probe"), (int) active + 1, now))
            .as("createWithin(max %d) after one more", active + 1)
            .isEqualTo(Full.FULL);
      }
      if (!traits().purgesItself()) {
        long expiring =
            after.keys().stream()
                .filter(key -> after.get(key).orElseThrow().value().expiresAt() != null)
                .count();
        assertThat(backend.purgeExpired(RecordValue.MAX_EXPIRY, 1_000))
            .as("how many records a purge of everything removes after the two calls")
            .isEqualTo((int) expiring);
      }
    }
  }
}
