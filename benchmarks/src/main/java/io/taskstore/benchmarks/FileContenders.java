// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.taskstore.file.FileStorageBackend;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Created;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.Written;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;
import org.h2.mvstore.type.ByteArrayDataType;
import org.h2.mvstore.type.StringDataType;

/**
 * Ways to keep records of 1 KiB on a disk: ours, two libraries that promise the same, and the least
 * that could be done. Each thread has records of its own.
 */
final class FileContenders {
  static final int DATA_BYTES = 1_024;
  static final String PARTITION = "ts:alice";
  static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");
  static final int MAX_ACTIVE = 100;

  /** More than any index, so that its sum with one has all the digits. */
  private static final int KEYS = 10_000_000;

  private FileContenders() {}

  /** One of the ways. */
  interface Contender extends AutoCloseable {
    /** The durable update of a record that only this thread has; called once for each thread. */
    Rounds.Work update() throws Exception;

    @Override
    void close() throws IOException, SQLException;
  }

  /** Random, so that nothing can compress it, and the same in every run. */
  static byte[] data(int length) {
    byte[] data = new byte[length];
    new Random(42).nextBytes(data);
    data[length - 1] = 'x';
    return data;
  }

  /**
   * Ids as core makes them: the time first, so neighbours in time are neighbours in order. Made
   * quickly, for it is measured too.
   */
  static RecordKey key(String partition, int index) {
    String digits = Integer.toString(KEYS + index);
    return new RecordKey(partition, "01jgfjs" + digits.substring(1) + "v8s1b5k0c2n7d4q9m3e6f");
  }

  // --- the least ------------------------------------------------------------------------------

  /** Appends as many bytes as an entry of ours has to a file that stays open, and flushes it. */
  static final class Append implements Contender {
    private final Path directory;
    private final int length;
    private final List<FileChannel> channels = new ArrayList<>();

    Append(Path directory, int length) throws IOException {
      this.directory = Files.createDirectories(directory);
      this.length = length;
    }

    @Override
    public Rounds.Work update() throws IOException {
      FileChannel channel =
          FileChannel.open(
              directory.resolve("appended-" + channels.size()),
              StandardOpenOption.CREATE_NEW,
              StandardOpenOption.WRITE);
      channels.add(channel);
      ByteBuffer entry = ByteBuffer.allocateDirect(length).put(data(length));
      return () -> {
        entry.rewind();
        while (entry.hasRemaining()) {
          channel.write(entry);
        }
        channel.force(false);
      };
    }

    @Override
    public void close() throws IOException {
      for (FileChannel channel : channels) {
        channel.close();
      }
    }
  }

  // --- ours -----------------------------------------------------------------------------------

  /** The file backend with all its defaults. */
  static final class Ours implements Contender {
    private final StorageBackend backend;
    private final Bytes data = Bytes.unsafeWrap(data(DATA_BYTES));
    private final AtomicLong writes = new AtomicLong();
    private final Deque<Slot[]> prepared = new ArrayDeque<>();
    private int records;

    /** Opens a directory, and stores nothing. */
    Ours(Path directory) {
      this(directory, 0, 0, 1);
    }

    /**
     * Stores records for some threads. They have been updated some times, each as often as chance
     * will have it: else all files would become too long at the same time, and be rewritten in one
     * long row.
     *
     * @param recordsEach how many records a thread has, of which it updates any
     * @param age how often a record has been updated, at most
     */
    Ours(Path directory, int threads, int recordsEach, int age) {
      Random random = new Random(42);
      try (StorageBackend quick =
          FileStorageBackend.builder(directory)
              .durability(FileStorageBackend.Durability.OS)
              .build()) {
        for (int thread = 0; thread < threads; thread++) {
          Slot[] slots = new Slot[recordsEach];
          for (int i = 0; i < recordsEach; i++) {
            slots[i] = create(quick, Integer.MAX_VALUE);
            for (int n = random.nextInt(age); n > 0; n--) {
              update(quick, slots[i], true);
            }
          }
          prepared.add(slots);
        }
      }
      this.backend = FileStorageBackend.open(directory);
    }

    private RecordValue value(boolean active) {
      // As long as the write ids of core.
      String writeId = "4f8s1b5k0c2n7d4q9m3e6f1a5-%06x".formatted(writes.incrementAndGet());
      return new RecordValue(data, active, NOW.plus(Duration.ofHours(6)), writeId);
    }

    @Override
    public Rounds.Work update() {
      Slot[] slots = prepared.remove();
      Random random = new Random(42);
      return () -> update(backend, slots[random.nextInt(slots.length)], true);
    }

    /** A record, and what the next write of it must expect. */
    static final class Slot {
      private final RecordKey key;
      private long version = 1;

      private Slot(RecordKey key) {
        this.key = key;
      }
    }

    Slot create(int max) {
      return create(backend, max);
    }

    private Slot create(StorageBackend into, int max) {
      Slot slot = new Slot(key(PARTITION, records++));
      Expect.that(into.createWithin(slot.key, value(true), max, NOW) == Created.CREATED);
      return slot;
    }

    void update(Slot slot) {
      update(backend, slot, true);
    }

    private void update(StorageBackend into, Slot slot, boolean active) {
      PutResult result = into.putIfVersion(slot.key, value(active), slot.version);
      Expect.that(result instanceof Written);
      slot.version = ((Written) result).version();
    }

    void finish(Slot slot) {
      update(backend, slot, false);
    }

    @Override
    public void close() {
      backend.close();
    }

    /** How long an entry of such a record is in its file, without the blank lines behind it. */
    static int entryBytes(Path directory) throws IOException {
      try (Ours ours = new Ours(directory)) {
        ours.create(MAX_ACTIVE);
      }
      String data = text(data(DATA_BYTES));
      try (var files = Files.walk(directory)) {
        for (Path file : files.filter(Files::isRegularFile).toList()) {
          String content = text(Files.readAllBytes(file));
          if (content.contains(data)) {
            return content.stripTrailing().length() + 1;
          }
        }
      }
      throw new IllegalStateException("no file has the data of the record");
    }

    /** One character for each byte. */
    private static String text(byte[] bytes) {
      return new String(bytes, StandardCharsets.ISO_8859_1);
    }
  }

  /**
   * The life of a task but for its updates: it is created while others are active, and it ends. One
   * thread, and two figures.
   */
  static final class CreateAndFinish implements Rounds.Subject {
    static final String CREATE = "`createWithin`, 50 others active";
    static final String FINISH = "`putIfVersion`, no longer active";

    private static final int OTHERS = 50;

    private final Ours ours;

    CreateAndFinish(Ours ours) {
      this.ours = ours;
      for (int i = 0; i < OTHERS; i++) {
        ours.create(MAX_ACTIVE);
      }
    }

    @Override
    public List<String> names() {
      return List.of(CREATE, FINISH);
    }

    @Override
    public List<Double> rates(Duration length) {
      long begin = System.nanoTime();
      long creating = 0;
      long finishing = 0;
      long count = 0;
      long now = begin;
      while (now - begin < length.toNanos()) {
        Ours.Slot slot = ours.create(MAX_ACTIVE);
        long created = System.nanoTime();
        ours.finish(slot);
        creating += created - now;
        now = System.nanoTime();
        finishing += now - created;
        count++;
      }
      return List.of(count * 1e9 / creating, count * 1e9 / finishing);
    }
  }

  // --- others ---------------------------------------------------------------------------------

  /** SQLite with a write-ahead log that each commit flushes. */
  static final class Sqlite implements Contender {
    private final String url;
    private final boolean sharesConnection;
    private final ReentrantLock lock = new ReentrantLock();
    private final List<Connection> connections = new ArrayList<>();
    private int records;

    /**
     * @param sharesConnection whether all threads use one connection, one after the other, rather
     *     than each its own; SQLite writes one at a time anyway
     */
    Sqlite(Path directory, boolean sharesConnection) throws IOException, SQLException {
      this.url = "jdbc:sqlite:" + Files.createDirectories(directory).resolve("records.db");
      this.sharesConnection = sharesConnection;
      try (Statement statement = connect().createStatement()) {
        statement.execute(
            "CREATE TABLE record"
                + " (key TEXT PRIMARY KEY, version INTEGER NOT NULL, data BLOB NOT NULL)");
      }
    }

    private Connection connect() throws SQLException {
      Connection connection = DriverManager.getConnection(url);
      connections.add(connection);
      try (Statement statement = connection.createStatement()) {
        statement.execute("PRAGMA busy_timeout=30000");
        statement.execute("PRAGMA journal_mode=WAL");
        statement.execute("PRAGMA synchronous=FULL");
        try (ResultSet mode = statement.executeQuery("PRAGMA journal_mode")) {
          Expect.that(mode.next() && mode.getString(1).equals("wal"));
        }
        try (ResultSet full = statement.executeQuery("PRAGMA synchronous")) {
          Expect.that(full.next() && full.getInt(1) == 2);
        }
      }
      return connection;
    }

    @Override
    public Rounds.Work update() throws SQLException {
      String id = key(PARTITION, records++).id();
      byte[] data = data(DATA_BYTES);
      Connection connection = sharesConnection ? connections.get(0) : connect();
      try (PreparedStatement insert =
          connection.prepareStatement("INSERT INTO record (key, version, data) VALUES (?, 1, ?)")) {
        insert.setString(1, id);
        insert.setBytes(2, data);
        Expect.that(insert.executeUpdate() == 1);
      }
      PreparedStatement update =
          connection.prepareStatement(
              "UPDATE record SET data = ?, version = version + 1 WHERE key = ? AND version = ?");
      return new Rounds.Work() {
        private long version = 1;

        @Override
        public void run() throws SQLException {
          if (sharesConnection) {
            lock.lock();
          }
          try {
            update.setBytes(1, data);
            update.setString(2, id);
            update.setLong(3, version++);
            Expect.that(update.executeUpdate() == 1);
          } finally {
            if (sharesConnection) {
              lock.unlock();
            }
          }
        }
      };
    }

    @Override
    public void close() throws SQLException {
      for (Connection connection : connections) {
        connection.close();
      }
    }
  }

  /** The storage engine of H2, which has no log: it appends what has changed of its trees. */
  static final class MvStore implements Contender {
    private final MVStore store;
    private final MVMap<String, byte[]> map;
    private final byte[] data = data(DATA_BYTES);
    private int records;

    MvStore(Path directory) throws IOException {
      Path file = Files.createDirectories(directory).resolve("records.mv");
      this.store = new MVStore.Builder().fileName(file.toString()).autoCommitDisabled().open();
      this.map =
          store.openMap(
              "records",
              new MVMap.Builder<String, byte[]>()
                  .keyType(StringDataType.INSTANCE)
                  .valueType(ByteArrayDataType.INSTANCE));
    }

    @Override
    public Rounds.Work update() {
      String id = key(PARTITION, records++).id();
      byte[] first = withVersion(1);
      Expect.that(map.putIfAbsent(id, first) == null);
      return new Rounds.Work() {
        private long version = 1;
        private byte[] stored = first;

        @Override
        public void run() {
          byte[] next = withVersion(++version);
          Expect.that(map.replace(id, stored, next));
          store.commit();
          store.sync();
          stored = next;
        }
      };
    }

    private byte[] withVersion(long version) {
      return ByteBuffer.wrap(data.clone()).putLong(0, version).array();
    }

    @Override
    public void close() {
      store.closeImmediately();
    }
  }
}
