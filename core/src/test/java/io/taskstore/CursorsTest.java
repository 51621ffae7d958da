// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.taskstore.spi.RecordKey;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

final class CursorsTest {
  private static final String PARTITION = "ts:alice";
  private static final TaskQuery QUERY = TaskQuery.newestFirst();
  private static final String ID = new TaskIds(new Random(7)).mint(Instant.EPOCH);
  private static final String CURSOR = Cursors.encode(PARTITION, QUERY, ID);

  private static final String BASE64 =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

  private static void refused(String partition, TaskQuery query, String cursor) {
    // A plain comparison first: this runs ten thousands of times.
    Throwable thrown = catchThrowable(() -> Cursors.decode(partition, query, cursor));
    if (!(thrown instanceof InvalidCursorException)) {
      assertThat(thrown).as("of %s", cursor).isInstanceOf(InvalidCursorException.class);
    }
  }

  private static void refused(String cursor) {
    refused(PARTITION, QUERY, cursor);
  }

  private static List<TaskQuery> queries() {
    List<TaskQuery> queries = new ArrayList<>();
    for (TaskQuery order : List.of(TaskQuery.newestFirst(), TaskQuery.oldestFirst())) {
      queries.add(order);
      queries.add(order.activeOnly());
      for (TaskStatus status : TaskStatus.values()) {
        queries.add(order.withStatus(status));
        queries.add(order.withStatus(status).activeOnly());
      }
      queries.add(order.withStatus(TaskStatus.WORKING, TaskStatus.INPUT_REQUIRED));
      queries.add(order.withStatus(TaskStatus.values()));
    }
    return queries;
  }

  @Provide
  Arbitrary<String> ids() {
    return ValueFixtures.texts().filter(id -> !id.isEmpty());
  }

  @Property(tries = 300)
  void decode_ownCursor_givesTheId(@ForAll("ids") String id, @ForAll("ids") String partition) {
    for (TaskQuery query : queries()) {
      String cursor = Cursors.encode(partition, query, id);

      assertThat(Cursors.decode(partition, query, cursor)).isEqualTo(id);
      assertThat(cursor).matches("[A-Za-z0-9_-]+");
    }
  }

  @Test
  void decode_longestId_works() {
    String id = "\u20ac".repeat(170) + "ab";
    assertThat(id.getBytes(StandardCharsets.UTF_8)).hasSize(RecordKey.MAX_ID_BYTES);

    String cursor = Cursors.encode(PARTITION, QUERY, id);

    assertThat(Cursors.decode(PARTITION, QUERY, cursor)).isEqualTo(id);
  }

  @Test
  void decode_madeUpCursorWithAnIdThatNoRecordCanHave_isRefused() {
    for (int length : new int[] {513, 514, 600, 755, 756, 800, 10_000}) {
      refused(Cursors.encode(PARTITION, QUERY, "a".repeat(length)));
    }
    refused(Cursors.encode(PARTITION, QUERY, "\u20ac".repeat(171)));
    refused(Cursors.encode(PARTITION, QUERY, ""));
  }

  @Test
  void decode_anyCharacterAltered_isRefused() {
    String alphabet = BASE64 + "+/=. \n\u0000\u00e9\ud83d";
    for (int position = 0; position < CURSOR.length(); position++) {
      for (int i = 0; i < alphabet.length(); i++) {
        char c = alphabet.charAt(i);
        if (c != CURSOR.charAt(position)) {
          refused(CURSOR.substring(0, position) + c + CURSOR.substring(position + 1));
        }
      }
    }
  }

  @Test
  void decode_truncatedExtendedOrShuffled_isRefused() {
    for (int length = 0; length < CURSOR.length(); length++) {
      refused(CURSOR.substring(0, length));
      refused(CURSOR.substring(CURSOR.length() - length));
      refused(CURSOR.substring(0, length) + CURSOR.substring(length + 1));
      refused(CURSOR.substring(length) + CURSOR.substring(0, length) + "A");
    }
    for (String more : new String[] {"A", "AA", "AAA", "AAAA", "_", "%3D", CURSOR, " ", "\n"}) {
      refused(CURSOR + more);
      refused(more + CURSOR);
    }
  }

  @Test
  void decode_paddingAndOtherSpellings_areRefused() {
    for (int length = 1; length <= 6; length++) {
      String id = "a".repeat(length);
      String cursor = Cursors.encode(PARTITION, QUERY, id);
      byte[] bytes = Base64.getUrlDecoder().decode(cursor);
      for (String padding : new String[] {"=", "==", "===", "===="}) {
        refused(cursor + padding);
      }
      // The last character has spare bits, which a decoder ignores.
      if (cursor.length() % 4 != 0) {
        int last = BASE64.indexOf(cursor.charAt(cursor.length() - 1));
        char other = BASE64.charAt(last + 1);
        String spelling = cursor.substring(0, cursor.length() - 1) + other;
        assertThat(Base64.getUrlDecoder().decode(spelling)).isEqualTo(bytes);
        refused(spelling);
      }
    }
  }

  @Test
  void decode_otherFormat_isRefused() {
    byte[] bytes = Base64.getUrlDecoder().decode(CURSOR);
    for (int format = 0; format < 256; format++) {
      bytes[0] = (byte) format;
      String cursor = Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
      if (format == 1) {
        assertThat(cursor).isEqualTo(CURSOR);
      } else {
        refused(cursor);
      }
    }
  }

  @Test
  void decode_idThatIsNoUtf8_isRefused() throws NoSuchAlgorithmException {
    // Made up by somebody who knows how: the checksum is right, the id is not.
    byte[] id = {'a', (byte) 0xC3};
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    for (String part : new String[] {PARTITION, QUERY.filterText()}) {
      byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
      digest.update(new byte[] {0, 0, 0, (byte) bytes.length});
      digest.update(bytes);
    }
    byte[] sum = digest.digest(id);
    byte[] cursor = new byte[15];
    cursor[0] = 1;
    System.arraycopy(sum, 0, cursor, 1, 12);
    System.arraycopy(id, 0, cursor, 13, 2);

    refused(Base64.getUrlEncoder().withoutPadding().encodeToString(cursor));
  }

  @Test
  void decode_otherOwner_isRefused() {
    for (String other :
        new String[] {
          "ts:alic", "ts:alice2", "ts:Alice", "tc:alice", "te:alice", "tl:", "s:alice"
        }) {
      refused(other, QUERY, CURSOR);
    }
    // The owner and the filter are told apart, however they end and begin.
    refused("ts:alicedesc", QUERY, CURSOR);
    refused("", QUERY, CURSOR);
  }

  @Test
  void decode_otherFilterOrOrder_isRefused() {
    List<TaskQuery> queries = queries();
    Set<String> cursors = new HashSet<>();
    for (TaskQuery given : queries) {
      String cursor = Cursors.encode(PARTITION, given, ID);
      cursors.add(cursor);
      for (TaskQuery used : queries) {
        if (used != given) {
          refused(PARTITION, used, cursor);
        }
      }
    }
    assertThat(cursors).hasSameSizeAs(queries);
  }

  @Test
  void decode_otherPageSizeOrCursor_isAccepted() {
    assertThat(Cursors.decode(PARTITION, QUERY.pageSize(1), CURSOR)).isEqualTo(ID);
    assertThat(Cursors.decode(PARTITION, QUERY.pageSize(1_000).after("x"), CURSOR)).isEqualTo(ID);
    TaskQuery some = QUERY.withStatus(TaskStatus.FAILED, TaskStatus.COMPLETED);
    TaskQuery same = QUERY.withStatus(TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.FAILED);
    assertThat(Cursors.decode(PARTITION, same, Cursors.encode(PARTITION, some, ID))).isEqualTo(ID);
  }

  @Test
  void decode_emptyOrHugeText_isRefused() {
    refused("");
    refused("A");
    refused("A".repeat(10_000_000));
    refused("\u0000".repeat(10_000_000));
    refused(CURSOR + "A".repeat(10_000_000));
  }

  @Property(tries = 2_000)
  void decode_anyText_isRefused(@ForAll String text) {
    refused(text);
  }

  @Test
  void encode_doesNotShowTheOwner() {
    String bytes = new String(Base64.getUrlDecoder().decode(CURSOR), StandardCharsets.ISO_8859_1);
    assertThat(bytes).doesNotContain("alice");
  }

  @Test
  void exception_doesNotShowTheCursor() {
    assertThatExceptionOfType(InvalidCursorException.class)
        .isThrownBy(() -> Cursors.decode(PARTITION, QUERY, "secret"))
        .withMessageNotContaining("secret")
        .withMessageContaining("without a cursor")
        .withNoCause();
  }
}
