// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import static io.taskstore.TaskChange.change;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskQuery;
import io.taskstore.dynamodb.FaultyHttpClient.Fault;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.CapacityExceededException;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordTooLargeException;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.testservers.DynamoDbServer;
import io.taskstore.testservers.RedisServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProviderChain;
import software.amazon.awssdk.auth.credentials.ProfileCredentialsProvider;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;

/** What goes wrong between a host and DynamoDB, and what callers are told. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class FailuresTest {
  private static final String TABLE = "failures";
  private static final Owner ALICE = Owner.subject("alice");

  private final AtomicInteger partitions = new AtomicInteger();
  private final FaultyHttpClient http = new FaultyHttpClient();
  private DynamoDbServer server;
  private DynamoDbClient sure;
  private DynamoDbClient faulty;
  private StorageBackend direct;
  private StorageBackend backend;

  @BeforeAll
  void open() {
    server = DynamoDbServer.start();
    sure = Clients.connect(server.endpoint());
    faulty = Clients.connect(server.endpoint(), http);
    DynamoDbTables.create(sure, TABLE);
    direct = open(sure);
    backend = open(faulty);
  }

  private static StorageBackend open(DynamoDbClient client) {
    return DynamoDbStorageBackend.builder(client, TABLE).build();
  }

  @AfterAll
  void close() {
    direct.close();
    backend.close();
    sure.close();
    faulty.close();
    server.close();
  }

  // --- operations and what may happen to them -------------------------------------------------

  private enum Operation {
    GET("get", false),
    LIST("list", false),
    LIST_ACTIVE("listActive", false),
    PUT("putIfVersion", true),
    PUT_NEW("putIfVersion", true),
    DELETE("deleteIfVersion", true);

    private final String method;
    private final boolean writes;

    Operation(String method, boolean writes) {
      this.method = method;
      this.writes = writes;
    }

    private boolean isPut() {
      return this == PUT || this == PUT_NEW;
    }

    Object run(StorageBackend backend, RecordKey key) {
      ListQuery all = new ListQuery(key.partition(), null, false, 10);
      return switch (this) {
        case GET -> backend.get(key);
        case LIST -> backend.list(all);
        case LIST_ACTIVE -> backend.listActive(all);
        case PUT -> backend.putIfVersion(key, value("next"), 1);
        case PUT_NEW -> backend.putIfVersion(key, value("next"), StorageBackend.ABSENT);
        case DELETE -> backend.deleteIfVersion(key, 1);
      };
    }

    /** What is stored when it was done. */
    Optional<VersionedRecord> result(RecordKey key, Optional<VersionedRecord> before) {
      return switch (this) {
        case GET, LIST, LIST_ACTIVE -> before;
        case PUT -> Optional.of(new VersionedRecord(key, value("next"), 2));
        case PUT_NEW -> Optional.of(new VersionedRecord(key, value("next"), 1));
        case DELETE -> Optional.empty();
      };
    }
  }

  /** What callers are told: in reads and in writes. */
  private enum Meaning {
    PASSING,
    LASTING,
    /** A write may have been done. */
    UNKNOWN,
    FULL,
    TOO_LARGE;

    Class<? extends StorageException> type(Operation operation) {
      return switch (this) {
        case PASSING, LASTING -> StorageUnavailableException.class;
        case UNKNOWN ->
            operation.writes ? OutcomeUnknownException.class : StorageUnavailableException.class;
        case FULL -> CapacityExceededException.class;
        case TOO_LARGE ->
            operation.isPut() ? RecordTooLargeException.class : StorageUnavailableException.class;
      };
    }
  }

  private enum Answer {
    THROTTLED(
        FaultyHttpClient.refused(400, "ThrottlingException", "Rate exceeded"),
        Meaning.PASSING,
        "{place} has no capacity left for it at the moment (ThrottlingException)"),
    NO_THROUGHPUT(
        FaultyHttpClient.refused(400, "ProvisionedThroughputExceededException", "Too much"),
        Meaning.PASSING,
        "{place} has no capacity left for it at the moment"
            + " (ProvisionedThroughputExceededException)"),
    LIMITED(
        FaultyHttpClient.refused(400, "RequestLimitExceeded", "Too much"),
        Meaning.PASSING,
        "{place} has no capacity left for it at the moment (RequestLimitExceeded)"),
    FAILED(
        FaultyHttpClient.refused(500, "InternalServerError", "Sorry"),
        Meaning.UNKNOWN,
        "{place} has failed (HTTP 500, InternalServerError)"),
    AWAY(
        FaultyHttpClient.refused(503, "ServiceUnavailable", "Sorry"),
        Meaning.UNKNOWN,
        "{place} has failed (HTTP 503, ServiceUnavailable)"),
    GATEWAY(
        FaultyHttpClient.gateway(502),
        Meaning.UNKNOWN,
        "{place} has failed (HTTP 502, no error code)"),
    REDIRECT(
        FaultyHttpClient.gateway(302),
        Meaning.UNKNOWN,
        "{place} has failed (HTTP 302, no error code)"),
    PROXY_REFUSES(
        FaultyHttpClient.gateway(403), Meaning.LASTING, "{place} refuses it (no error code)"),
    TOKEN_EXPIRED(
        FaultyHttpClient.refused(400, "ExpiredTokenException", "The token is expired"),
        Meaning.LASTING,
        "{place} refuses it: the credentials have expired; get new ones"),
    UNKNOWN_KEY(
        FaultyHttpClient.refused(400, "UnrecognizedClientException", "The token is invalid"),
        Meaning.LASTING,
        "{place} refuses it: the credentials are wrong (UnrecognizedClientException)"),
    WRONG_SECRET(
        FaultyHttpClient.refused(400, "InvalidSignatureException", "It does not match"),
        Meaning.LASTING,
        "{place} refuses it: the credentials are wrong (InvalidSignatureException)"),
    SLOW_CLOCK(
        FaultyHttpClient.refused(400, "InvalidSignatureException", "Signature expired: 1 < 2"),
        Meaning.PASSING,
        "{place} refuses it: the clock of this host differs from its own"),
    FAST_CLOCK(
        FaultyHttpClient.refused(
            400, "InvalidSignatureException", "Signature not yet current: 2 > 1"),
        Meaning.PASSING,
        "{place} refuses it: the clock of this host differs from its own"),
    FORBIDDEN(
        FaultyHttpClient.refused(400, "AccessDeniedException", "User: joe is not authorized"),
        Meaning.LASTING,
        "{place} refuses it: the credentials do not allow it (AccessDeniedException); see the"
            + " policy that a store needs"),
    NO_TABLE(
        FaultyHttpClient.refused(400, "ResourceNotFoundException", "Requested resource not found"),
        Meaning.LASTING,
        "{place} has no table failures, or none with the index active: make it with"
            + " DynamoDbTables.create"),
    OWNER_FULL(
        FaultyHttpClient.refused(400, "ItemCollectionSizeLimitExceededException", "Too large"),
        Meaning.FULL,
        "{place} refuses it: what one owner has would exceed 10 GB, the limit of a table with an"
            + " index of this kind; let tasks of theirs expire earlier, or delete some"),
    WRITTEN_ELSEWHERE(
        FaultyHttpClient.refused(400, "ReplicatedWriteConflictException", "Again"),
        Meaning.PASSING,
        "{place} refuses it (ReplicatedWriteConflictException)"),
    INVALID(
        FaultyHttpClient.refused(400, "ValidationException", "Something is invalid"),
        Meaning.LASTING,
        "{place} refuses it (ValidationException)");

    @SuppressWarnings("ImmutableEnumChecker") // a function, without state
    private final Fault fault;

    private final Meaning meaning;
    private final String detail;

    Answer(Fault fault, Meaning meaning, String detail) {
      this.fault = fault;
      this.meaning = meaning;
      this.detail = detail;
    }
  }

  private static RecordValue value(String writeId) {
    return new RecordValue(Bytes.copyOf("{\"a\":1}".getBytes(UTF_8)), true, null, writeId);
  }

  /** Puts there what the operation needs. */
  private RecordKey prepare(Operation operation) {
    RecordKey key = new RecordKey("p-" + partitions.incrementAndGet(), "id");
    if (operation != Operation.PUT_NEW) {
      direct.putIfVersion(key, value("first"), StorageBackend.ABSENT);
    }
    http.take();
    return key;
  }

  private String place() {
    return "DynamoDB at 127.0.0.1:" + server.port();
  }

  private static String where(Operation operation, RecordKey key) {
    boolean isList = operation == Operation.LIST || operation == Operation.LIST_ACTIVE;
    return operation.method + (isList ? ": " : " of " + key + ": ");
  }

  private void assertTold(
      @Nullable Throwable told,
      Operation operation,
      RecordKey key,
      Meaning meaning,
      String detail) {
    assertThat(told)
        .isExactlyInstanceOf(meaning.type(operation))
        .hasMessage(where(operation, key) + detail.replace("{place}", place()));
    if (told instanceof StorageUnavailableException unavailable) {
      assertThat(unavailable.isRetryable())
          .isEqualTo(meaning == Meaning.PASSING || meaning == Meaning.UNKNOWN);
    }
    assertThat(http.take()).as("requests, each sent once").hasSize(1);
  }

  private static <A> Stream<Object[]> withEachOperation(A[] all) {
    return Stream.of(all)
        .flatMap(one -> Stream.of(Operation.values()).map(each -> new Object[] {one, each}));
  }

  // --- answers --------------------------------------------------------------------------------

  private static Stream<Object[]> answers() {
    return withEachOperation(Answer.values());
  }

  @ParameterizedTest
  @MethodSource("answers")
  void operation_anError_isToldAndNothingIsDone(Answer answer, Operation operation) {
    RecordKey key = prepare(operation);
    Optional<VersionedRecord> before = direct.get(key);
    http.breakNext(answer.fault);

    Throwable told = catchThrowable(() -> operation.run(backend, key));

    assertTold(told, operation, key, answer.meaning, answer.detail);
    assertThat(direct.get(key)).isEqualTo(before);
  }

  /** Only what is put can be too large. */
  @ParameterizedTest
  @EnumSource
  void operation_itemTooLarge_isToldWithTheLimit(Operation operation) {
    RecordKey key = prepare(operation);
    Optional<VersionedRecord> before = direct.get(key);
    http.breakNext(
        FaultyHttpClient.refused(
            400, "ValidationException", "Item size has exceeded the maximum allowed size"));

    Throwable told = catchThrowable(() -> operation.run(backend, key));

    assertTold(
        told,
        operation,
        key,
        Meaning.TOO_LARGE,
        operation.isPut()
            ? "the data has 7 bytes, the limit is " + DynamoDbStorageBackend.MAX_DATA_BYTES
            : "{place} refuses it (ValidationException)");
    assertThat(direct.get(key)).isEqualTo(before);
  }

  /** The client learns from the refusal what time it is at the service. */
  @Test
  void get_afterAnotherTimeWasTold_isSignedWithIt() {
    RecordKey key = prepare(Operation.GET);
    Instant theirs = Instant.now().plus(3, ChronoUnit.HOURS).truncatedTo(ChronoUnit.SECONDS);
    http.breakNext(
        FaultyHttpClient.refused(
            400, "InvalidSignatureException", "Signature expired: it is later", theirs));

    Throwable told = catchThrowable(() -> backend.get(key));
    assertTold(told, Operation.GET, key, Meaning.PASSING, Answer.SLOW_CLOCK.detail);

    assertThat(backend.get(key)).isPresent();
    assertThat(signedAt(http.take().get(0))).isAfterOrEqualTo(theirs.minus(1, ChronoUnit.HOURS));
  }

  private static Instant signedAt(SdkHttpRequest request) {
    return DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmssX")
        .withZone(ZoneOffset.UTC)
        .parse(request.firstMatchingHeader("X-Amz-Date").orElseThrow(), Instant::from);
  }

  // --- answers that do not come, or cannot be read --------------------------------------------

  private enum Loss {
    LOST(FaultyHttpClient.lost(), "IOException"),
    CHANGED(FaultyHttpClient.changed(), "Crc32MismatchException"),
    CUT(FaultyHttpClient.cut(), "Crc32MismatchException"),
    CUT_UNCHECKED(FaultyHttpClient.cutUnchecked(), "JsonEOFException"),
    NOT_JSON(FaultyHttpClient.notJson(), "JsonParseException");

    @SuppressWarnings("ImmutableEnumChecker") // a function, without state
    private final Fault fault;

    private final String kind;

    Loss(Fault fault, String kind) {
      this.fault = fault;
      this.kind = kind;
    }
  }

  private static Stream<Object[]> losses() {
    return withEachOperation(Loss.values());
  }

  @ParameterizedTest
  @MethodSource("losses")
  void operation_answerLost_isUnknownForAWriteAndDoneOnce(Loss loss, Operation operation) {
    RecordKey key = prepare(operation);
    Optional<VersionedRecord> before = direct.get(key);
    http.breakNext(loss.fault);

    Throwable told = catchThrowable(() -> operation.run(backend, key));

    assertTold(told, operation, key, Meaning.UNKNOWN, lostAnswer(operation, loss.kind));
    assertThat(direct.get(key)).isEqualTo(operation.result(key, before));
  }

  @ParameterizedTest
  @EnumSource
  void operation_interruptedBeforeItHasAConnection_isToldAndKeepsTheFlag(Operation operation) {
    RecordKey key = prepare(operation);
    Optional<VersionedRecord> before = direct.get(key);
    http.breakNext(FaultyHttpClient.interrupted());

    Throwable told = catchThrowable(() -> operation.run(backend, key));

    assertThat(Thread.interrupted()).isTrue();
    assertTold(told, operation, key, Meaning.UNKNOWN, "the thread was interrupted");
    assertThat(direct.get(key)).isEqualTo(before);
  }

  @Test
  void opening_interruptedBeforeItHasAConnection_isToldAndKeepsTheFlag() {
    http.breakNext(FaultyHttpClient.interrupted());

    Throwable told = catchThrowable(() -> open(faulty));

    assertThat(Thread.interrupted()).isTrue();
    assertThat(told)
        .isInstanceOf(StorageUnavailableException.class)
        .hasMessage("open: the thread was interrupted");
  }

  private static String lostAnswer(Operation operation, String kind) {
    return operation.writes
        ? "the answer of {place} was lost (" + kind + ")"
        : "{place} cannot be reached (" + kind + ")";
  }

  @ParameterizedTest
  @EnumSource
  void operation_answerLate_isGivenUp(Operation operation) {
    RecordKey key = prepare(operation);
    Optional<VersionedRecord> before = direct.get(key);
    try (DynamoDbClient client = Clients.connect(server.endpoint(), http, Duration.ofSeconds(2));
        StorageBackend impatient = open(client)) {
      http.take();

      http.take();
      http.breakNext(FaultyHttpClient.late());

      Throwable told = catchThrowable(() -> operation.run(impatient, key));

      assertTold(
          told, operation, key, Meaning.UNKNOWN, lostAnswer(operation, "ApiCallTimeoutException"));
      assertThat(Thread.interrupted()).isFalse();
    }
    assertThat(direct.get(key)).isEqualTo(operation.result(key, before));
  }

  // --- the store over it ----------------------------------------------------------------------

  private GenericTaskStore store(int maxActive) {
    return GenericTaskStore.builder(backend).maxActiveTasks(maxActive).build();
  }

  private static Owner somebody(Loss loss) {
    return Owner.subject("owner-" + loss);
  }

  private List<String> sent() {
    return http.take().stream().map(FaultyHttpClient::name).toList();
  }

  @ParameterizedTest
  @EnumSource
  void storeUpdate_answerLost_isASuccessAndDoneOnce(Loss loss) {
    try (GenericTaskStore store = store(100)) {
      Task task = store.create(ALICE, NewTask.of("m").set("n", 1));
      http.take();
      http.breakNext("PutItem", loss.fault);

      AtomicInteger changes = new AtomicInteger();
      Task after =
          store.update(
              task,
              t ->
                  change()
                      .set("n", t.variables().integer("n").orElse(0) + changes.incrementAndGet()));

      assertThat(after.version()).isEqualTo(2);
      assertThat(changes).as("changes made").hasValue(1);
      assertThat(sent()).containsExactly("PutItem", "PutItem");
      Task stored = store.get(ALICE, task.id());
      assertThat(stored.version()).isEqualTo(2);
      assertThat(stored.variables().integer("n")).hasValue(2);
    }
  }

  @ParameterizedTest
  @EnumSource
  void storeDelete_answerLost_isASuccess(Loss loss) {
    try (GenericTaskStore store = store(100)) {
      Task task = store.create(ALICE, NewTask.of("m"));
      http.take();
      http.breakNext("DeleteItem", loss.fault);

      store.delete(ALICE, task.id());

      assertThat(sent()).containsExactly("GetItem", "DeleteItem", "DeleteItem");
      assertThatThrownBy(() -> store.get(ALICE, task.id()))
          .isInstanceOf(TaskNotFoundException.class);
    }
  }

  /** Its own record holds the only place when it is sent again. */
  @ParameterizedTest
  @EnumSource
  void storeCreate_answerLost_isASuccessAndThereIsOne(Loss loss) {
    try (GenericTaskStore store = store(1)) {
      Owner owner = somebody(loss);
      http.take();
      http.breakNext("PutItem", loss.fault);

      Task task = store.create(owner, NewTask.of("m"));

      assertThat(sent()).containsExactly("GetItem", "Query", "PutItem", "GetItem", "Query");
      assertThat(store.list(owner, TaskQuery.newestFirst()).tasks())
          .extracting(Task::id)
          .containsExactly(task.id());
    }
  }

  @Test
  void storeCreate_countAfterItLost_isASuccessAndThereIsOne() {
    try (GenericTaskStore store = store(1)) {
      Owner owner = Owner.subject("counted");
      http.take();
      Fault query = FaultyHttpClient.lost();
      // the second Query: that after the record was put
      http.breakNext(
          "PutItem",
          (real, aborted) -> {
            http.breakNext("Query", query);
            return real.call();
          });

      Task task = store.create(owner, NewTask.of("m"));

      assertThat(http.hasBroken()).isTrue();
      assertThat(sent())
          .containsExactly("GetItem", "Query", "PutItem", "Query", "GetItem", "Query");
      assertThat(store.list(owner, TaskQuery.newestFirst()).tasks())
          .extracting(Task::id)
          .containsExactly(task.id());
    }
  }

  @Test
  void storeUpdate_throttled_isSentAgain() {
    try (GenericTaskStore store = store(100)) {
      Task task = store.create(ALICE, NewTask.of("m"));
      http.take();
      http.breakNext(Answer.NO_THROUGHPUT.fault);

      assertThat(store.update(task, change().set("n", 2)).version()).isEqualTo(2);

      assertThat(sent()).containsExactly("PutItem", "PutItem");
    }
  }

  // --- services that cannot be reached ---------------------------------------------------------

  private static void assertUnavailable(
      DynamoDbClient client, boolean retryable, String place, String detail) {
    try (client) {
      assertUnavailable(
          catchThrowable(() -> DynamoDbStorageBackend.builder(client, TABLE).build()),
          retryable,
          "open: " + detail.replace("{place}", place));
      // a write, and of this too it is known that nothing was done
      assertUnavailable(
          catchThrowable(() -> DynamoDbTables.create(client, TABLE)),
          retryable,
          "create table: " + detail.replace("{place}", place));
    }
  }

  private static void assertUnavailable(
      @Nullable Throwable told, boolean retryable, String message) {
    assertThat(told)
        .isExactlyInstanceOf(StorageUnavailableException.class)
        .hasMessage(message)
        .extracting(e -> ((StorageUnavailableException) e).isRetryable())
        .isEqualTo(retryable);
  }

  @Test
  void open_nobodyListens_isToldAndRetryable() {
    int port = RedisServer.freePort();
    assertUnavailable(
        Clients.connect("http://127.0.0.1:" + port),
        true,
        "DynamoDB at 127.0.0.1:" + port,
        "{place} cannot be reached (HttpHostConnectException)");
  }

  @Test
  void open_unknownHost_isToldAndRetryable() {
    assertUnavailable(
        Clients.connect("http://dynamodb.invalid:8000"),
        true,
        "DynamoDB at dynamodb.invalid:8000",
        "{place} cannot be reached (UnknownHostException)");
  }

  @Test
  void open_tlsWhereThereIsNone_isTold() {
    assertUnavailable(
        Clients.connect("https://127.0.0.1:" + server.port()),
        false,
        place(),
        "there is no TLS with {place} (SSLException)");
  }

  /** A certificate that nobody vouches for, or a list of ciphers that nobody shares. */
  @Test
  void open_serverThatEndsTheHandshake_isTold() throws IOException {
    try (ServerSocket refusing = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      Thread thread = new Thread(() -> refuseTls(refusing), "refusing");
      thread.setDaemon(true);
      thread.start();
      assertUnavailable(
          Clients.connect("https://127.0.0.1:" + refusing.getLocalPort()),
          false,
          "DynamoDB at 127.0.0.1:" + refusing.getLocalPort(),
          "there is no TLS with {place} (SSLHandshakeException)");
    }
  }

  /** Answers each handshake with the alert that it has failed. */
  private static void refuseTls(ServerSocket server) {
    while (!server.isClosed()) {
      try (Socket socket = server.accept()) {
        byte[] header = socket.getInputStream().readNBytes(5);
        socket.getInputStream().readNBytes(((header[3] & 0xFF) << 8) | (header[4] & 0xFF));
        socket.getOutputStream().write(new byte[] {21, 3, 3, 0, 2, 2, 40});
        socket.getOutputStream().flush();
      } catch (IOException e) {
        if (!server.isClosed()) {
          throw new UncheckedIOException(e);
        }
      }
    }
  }

  // --- credentials ------------------------------------------------------------------------------

  private static final String NO_CREDENTIALS =
      "there are no credentials for {place}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name"
          + " a profile, or give the host a role";

  private static ProfileCredentialsProvider emptyProfile() {
    return ProfileCredentialsProvider.create("nobody-of-the-tests");
  }

  @Test
  void open_profileWithoutCredentials_isTold() {
    assertUnavailable(
        Clients.builder(server.endpoint()).credentialsProvider(emptyProfile()).build(),
        false,
        place(),
        NO_CREDENTIALS);
  }

  @Test
  void open_noProviderHasCredentials_isTold() {
    assertUnavailable(
        Clients.builder(server.endpoint())
            .credentialsProvider(AwsCredentialsProviderChain.of(emptyProfile(), emptyProfile()))
            .build(),
        false,
        place(),
        NO_CREDENTIALS);
  }
}
