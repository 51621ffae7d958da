// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples.jdbc;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordTooLargeException;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageArguments;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLIntegrityConstraintViolationException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.h2.api.ErrorCode;
import org.h2.jdbcx.JdbcConnectionPool;
import org.jspecify.annotations.Nullable;

/** Keeps records in a table of an H2 database: the seven methods, and the defaults for the rest. */
final class JdbcStorageBackend implements StorageBackend {
  /** H2 has 1 MiB for a VARBINARY, and lets one process at a time open a database. */
  static final BackendTraits TRAITS = new BackendTraits("jdbc", true, false, false, 1 << 20);

  // Keys are bytes: every one is exact, and their order is the contract's, which that of text is
  // not. UNIQUE makes the index for purging in the same statement as the table.
  private static final String CREATE =
      """
      CREATE TABLE IF NOT EXISTS taskstore_records (
        active BOOLEAN NOT NULL, expires_at BIGINT, write_id VARCHAR(64) NOT NULL,
        data VARBINARY(1048576) NOT NULL, partition_key VARBINARY(1100), id VARBINARY(512),
        version BIGINT NOT NULL, PRIMARY KEY (partition_key, id),
        UNIQUE (expires_at, partition_key, id))""";
  private static final String INSERT =
      "INSERT INTO taskstore_records VALUES (?, ?, ?, ?, ?, ?, ? + 1)";
  private static final String UPDATE =
      "UPDATE taskstore_records SET active = ?, expires_at = ?, write_id = ?, data = ?,"
          + " version = version + 1 WHERE partition_key = ? AND id = ? AND version = ?";
  private static final String DELETE =
      "DELETE FROM taskstore_records WHERE partition_key = ? AND id = ? AND version = ?";
  private static final String PURGE =
      "DELETE FROM taskstore_records WHERE expires_at <= ? FETCH FIRST ? ROWS ONLY";
  private static final String SELECT =
      "SELECT * FROM taskstore_records WHERE partition_key = ? AND id ";

  private static final int BATCH = 4; // so many rows, of at most 1 MiB, are read at once

  private final JdbcConnectionPool pool;
  private volatile boolean closed;

  /** Takes over the pool: closing the backend disposes of it. */
  JdbcStorageBackend(JdbcConnectionPool pool) {
    this.pool = pool;
    call("open", null, true, "SET WRITE_DELAY 0"); // else H2 says yes half a second too early
    call("open", null, true, CREATE);
  }

  @Override
  public BackendTraits traits() {
    return TRAITS;
  }

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    byte[] partition = bytes(key.partition());
    Answer answer = call("get", key, false, SELECT + "= ?", partition, bytes(key.id()));
    return answer.rows().stream().findFirst();
  }

  @Override
  public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
    StorageArguments.checkPut(key, value, expected);
    byte[] data = value.data().unsafeArray();
    int max = TRAITS.maxDataBytes();
    if (data.length > max) {
      throw new RecordTooLargeException("putIfVersion", key, max, data.length, null);
    }
    Instant at = value.expiresAt();
    Object expiry = at == null ? null : at.toEpochMilli();
    byte[] part = bytes(key.partition());
    Object[] row = {value.active(), expiry, value.writeId(), data, part, bytes(key.id()), expected};
    // One statement compares and writes, so that nobody can come between.
    String sql = expected == ABSENT ? INSERT : UPDATE;
    int written = call("putIfVersion", key, true, sql, row).changed();
    return written == 1 ? new Written(expected + 1) : new Conflict(get(key).orElse(null));
  }

  @Override
  public DeleteResult deleteIfVersion(RecordKey key, long expected) {
    StorageArguments.checkDelete(key, expected);
    Object[] version = {bytes(key.partition()), bytes(key.id()), expected};
    int deleted = call("deleteIfVersion", key, true, DELETE, version).changed();
    return deleted == 1 ? Deleted.DELETED : new Conflict(get(key).orElse(null));
  }

  @Override
  public RecordPage list(ListQuery query) {
    String order = query.descending() ? "< ? ORDER BY id DESC" : "> ? ORDER BY id";
    String sql = SELECT + order + " FETCH FIRST ? ROWS ONLY";
    byte[] begin = query.descending() ? new byte[] {(byte) 0xFF} : new byte[0]; // no id is either
    List<VersionedRecord> page = new ArrayList<>();
    String last = query.after();
    long size = 0;
    while (page.size() < query.limit() && size < RecordPage.TARGET_BYTES) {
      int limit = Math.min(BATCH, query.limit() - page.size());
      byte[] after = last == null ? begin : bytes(last);
      var batch = call("list", null, false, sql, bytes(query.partition()), after, limit).rows();
      page.addAll(batch);
      if (batch.size() < limit) {
        return new RecordPage(page, List.of(), null);
      }
      size += batch.stream().mapToLong(found -> found.value().data().size()).sum();
      last = batch.get(limit - 1).key().id();
    }
    return new RecordPage(page, List.of(), last);
  }

  @Override
  public int purgeExpired(Instant now, int limit) {
    long due = StorageArguments.checkPurge(now, limit).toEpochMilli();
    // H2 looks at the condition again when it has the lock of a row, so a later expiry wins.
    return call("purgeExpired", null, true, PURGE, due, limit).changed();
  }

  @Override
  public void close() {
    closed = true;
    boolean interrupted = Thread.interrupted(); // H2 would lose it
    pool.dispose();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private static byte[] bytes(String text) {
    return text.getBytes(UTF_8);
  }

  private record Answer(int changed, List<VersionedRecord> rows) {}

  private Answer call(
      String operation, @Nullable RecordKey key, boolean writes, String sql, Object... values) {
    if (closed) {
      throw new BackendClosedException(operation, key, "the backend is closed", null);
    }
    boolean sent = false;
    try (Connection connection = pool.getConnection();
        PreparedStatement statement = connection.prepareStatement(sql)) {
      for (int i = 0; i < values.length; i++) {
        statement.setObject(i + 1, values[i]);
      }
      sent = writes;
      return writes
          ? new Answer(statement.executeUpdate(), List.of())
          : new Answer(0, rows(statement.executeQuery()));
    } catch (SQLIntegrityConstraintViolationException e) {
      return new Answer(0, List.of()); // there is such a record
    } catch (SQLException e) {
      int code = e.getErrorCode(); // not the message, in which there may be data
      boolean retryable = code != ErrorCode.WRONG_USER_OR_PASSWORD;
      String detail = retryable ? "H2 failed with ErrorCode " + code : "wrong user or password";
      throw sent && code != ErrorCode.LOCK_TIMEOUT_1
          ? new OutcomeUnknownException(operation, key, detail, e)
          : new StorageUnavailableException(operation, key, retryable, detail, e);
    }
  }

  private static List<VersionedRecord> rows(ResultSet row) throws SQLException {
    List<VersionedRecord> rows = new ArrayList<>();
    while (row.next()) {
      String partition = new String(row.getBytes("partition_key"), UTF_8);
      RecordKey key = new RecordKey(partition, new String(row.getBytes("id"), UTF_8));
      Long millis = row.getObject("expires_at", Long.class);
      Instant expiry = millis == null ? null : Instant.ofEpochMilli(millis);
      Bytes data = Bytes.unsafeWrap(row.getBytes("data"));
      boolean active = row.getBoolean("active");
      var value = new RecordValue(data, active, expiry, row.getString("write_id"));
      rows.add(new VersionedRecord(key, value, row.getLong("version")));
    }
    return rows;
  }
}
