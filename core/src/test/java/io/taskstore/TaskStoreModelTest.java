// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.RecordKey;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/**
 * Random operations, through two stores over one backend, beside a model that is too simple to be
 * wrong. A failure prints its seed and the shortest sequence that shows it.
 */
class TaskStoreModelTest {
  private static final int MAX_ACTIVE = 4;
  private static final Duration MAX_TTL = Duration.ofMinutes(60);
  private static final Duration KEEP = Duration.ofMinutes(10);
  private static final Duration ALLOWANCE = Duration.ofMinutes(5);
  private static final List<Owner> OWNERS =
      List.of(Owner.subject("a"), Owner.subject("a:b"), Owner.client("a"));

  private enum Kind {
    CREATE,
    UPDATE_IN_HAND,
    UPDATE_STALE,
    UPDATE_BY_ID,
    UPDATE_BY_VERSION,
    CANCEL,
    REQUEST_CANCEL,
    REQUIRE_INPUT,
    PROVIDE_INPUT,
    CLAIM,
    DELETE,
    GET,
    LIST,
    ADVANCE,
    PURGE
  }

  /** One operation; the numbers choose what it applies to and what it does. */
  private record Op(Kind kind, int task, int what, int value) {}

  @Provide
  Arbitrary<List<Op>> operations() {
    return Combinators.combine(
            Arbitraries.of(Kind.class),
            Arbitraries.integers().between(0, 11),
            Arbitraries.integers().between(0, 9),
            Arbitraries.integers().between(0, 9))
        .as(Op::new)
        .list()
        .ofMaxSize(60);
  }

  @Property(tries = 1_500)
  void store_randomOperations_behavesAsTheModel(@ForAll("operations") List<Op> operations) {
    new World().run(operations);
  }

  /** What the model knows of a task. */
  private static final class Model {
    private final Owner owner;
    private final String id;
    private final Instant createdAt;
    private TaskStatus status = TaskStatus.WORKING;
    private final TreeMap<String, Object> variables = new TreeMap<>();
    private String message;
    private Progress progress;
    private Map<String, Object> result;
    private Duration ttl;
    private Instant expiresAt;
    private boolean cancelRequested;
    private final TreeMap<String, String> questions = new TreeMap<>();
    private final TreeMap<String, Object> answers = new TreeMap<>();
    private String worker;
    private Instant leaseUntil;
    private long version = 1;
    private boolean deleted;
    private Task firstSnapshot;
    private Task lastSnapshot;

    Model(Task created, Duration ttl) {
      this.owner = created.owner();
      this.id = created.id();
      this.createdAt = created.createdAt();
      this.ttl = ttl;
      this.expiresAt = createdAt.plus(ttl);
      this.firstSnapshot = created;
      this.lastSnapshot = created;
    }
  }

  private static final class World {
    private final MovableClock clock = new MovableClock();
    private final MapBackend backend = new MapBackend();
    private final List<GenericTaskStore> stores = List.of(newStore(), newStore());
    private final List<Model> models = new ArrayList<>();
    private int turn;

    private GenericTaskStore newStore() {
      return GenericTaskStore.builder(backend)
          .clock(clock)
          .timing(new VirtualTiming())
          .maxActiveTasks(MAX_ACTIVE)
          .defaultTtl(Duration.ofMinutes(30))
          .maxTtl(MAX_TTL)
          .keepResultFor(KEEP)
          .clockSkewAllowance(ALLOWANCE)
          .build();
    }

    /** The stores take turns, so that what one writes the other reads. */
    private GenericTaskStore store() {
      return stores.get(turn++ % stores.size());
    }

    void run(List<Op> operations) {
      for (Op op : operations) {
        apply(op);
      }
      models.forEach(model -> check(model, store()));
      OWNERS.forEach(owner -> checkList(owner, TaskQuery.oldestFirst().pageSize(2)));
    }

    private boolean visible(Model model) {
      return !model.deleted && clock.instant().isBefore(model.expiresAt);
    }

    private void apply(Op op) {
      switch (op.kind()) {
        case CREATE -> create(op);
        case ADVANCE -> clock.advance(Duration.ofMinutes(op.what() + 1L));
        case PURGE -> purge(op);
        case LIST -> checkList(OWNERS.get(op.task() % OWNERS.size()), query(op));
        case UPDATE_IN_HAND,
            UPDATE_STALE,
            UPDATE_BY_ID,
            UPDATE_BY_VERSION,
            CANCEL,
            REQUEST_CANCEL,
            REQUIRE_INPUT,
            PROVIDE_INPUT,
            CLAIM,
            DELETE,
            GET -> {
          if (!models.isEmpty()) {
            onTask(op, models.get(op.task() % models.size()));
          }
        }
      }
    }

    private void create(Op op) {
      Owner owner = OWNERS.get(op.task() % OWNERS.size());
      long active =
          models.stream()
              .filter(m -> m.owner.equals(owner) && visible(m) && !m.status.isTerminal())
              .count();
      Duration ttl = Duration.ofMinutes(op.value() * 7L + 1);
      NewTask request = NewTask.of("m").ttl(ttl).set("v", op.what());
      Supplier<Task> call = () -> store().create(owner, request);
      if (ttl.compareTo(MAX_TTL) > 0) {
        expect(DurationNotAllowedException.class, call);
      } else if (active >= MAX_ACTIVE) {
        expect(TaskLimitException.class, call);
      } else {
        Model model = new Model(call.get(), ttl);
        model.variables.put("v", (long) op.what());
        models.add(model);
        check(model, store());
      }
    }

    private void purge(Op op) {
      Instant due = clock.instant().minus(ALLOWANCE);
      List<Model> expected =
          models.stream().filter(m -> !m.deleted && !due.isBefore(m.expiresAt)).toList();
      int limit = op.what() + 1;
      int purged = store().purgeExpired(limit);
      assertThat(purged).isEqualTo(Math.min(limit, expected.size()));
      long left = expected.stream().filter(m -> backend.get(key(m)).isPresent()).count();
      assertThat(left).isEqualTo(expected.size() - purged);
      expected.stream().filter(m -> backend.get(key(m)).isEmpty()).forEach(m -> m.deleted = true);
    }

    private RecordKey key(Model model) {
      return new RecordKey("t" + model.owner.storedForm(), model.id);
    }

    private TaskQuery query(Op op) {
      TaskQuery query = op.what() % 2 == 0 ? TaskQuery.newestFirst() : TaskQuery.oldestFirst();
      query =
          switch (op.value() % 4) {
            case 0 -> query.activeOnly();
            case 1 -> query.withStatus(TaskStatus.COMPLETED, TaskStatus.CANCELLED);
            case 2 -> query.activeOnly().withStatus(TaskStatus.WORKING);
            default -> query;
          };
      return query.pageSize(op.what() / 2 + 1);
    }

    private void checkList(Owner owner, TaskQuery query) {
      List<String> expected = new ArrayList<>();
      for (Model model : models) {
        if (model.owner.equals(owner) && visible(model) && query.accepts(model.status)) {
          expected.add(model.id);
        }
      }
      expected.sort(query.isNewestFirst() ? Collections.reverseOrder() : null);
      List<String> actual = new ArrayList<>();
      TaskQuery next = query;
      for (int pages = 0; ; pages++) {
        assertThat(pages).isLessThan(1_000);
        TaskPage page = store().list(owner, next);
        assertThat(page.tasks().size()).isLessThanOrEqualTo(query.pageSize());
        assertThat(page.unreadable()).isEmpty();
        page.tasks().forEach(task -> actual.add(task.id()));
        if (page.nextCursor().isEmpty()) {
          break;
        }
        next = query.after(page.nextCursor().get());
      }
      assertThat(actual).isEqualTo(expected);
    }

    private void onTask(Op op, Model model) {
      GenericTaskStore store = store();
      Owner owner = model.owner;
      String id = model.id;
      switch (op.kind()) {
        case GET -> {
          check(model, store);
          Owner stranger = OWNERS.get((OWNERS.indexOf(owner) + 1) % OWNERS.size());
          expect(TaskNotFoundException.class, () -> store.get(stranger, id));
        }
        case DELETE -> {
          Supplier<Task> call =
              () -> {
                store.delete(owner, id);
                return model.lastSnapshot;
              };
          if (visible(model)) {
            store.delete(owner, id);
            model.deleted = true;
          } else {
            expect(TaskNotFoundException.class, call);
          }
        }
        case CANCEL -> {
          Supplier<Task> call = () -> store.cancel(owner, id);
          if (!visible(model)) {
            expect(TaskNotFoundException.class, call);
          } else if (model.status.isTerminal()) {
            expect(TaskEndedException.class, call);
          } else {
            end(model, TaskStatus.CANCELLED, null);
            written(model, call.get());
          }
        }
        case REQUEST_CANCEL -> {
          Supplier<Task> call = () -> store.requestCancel(owner, id);
          if (!visible(model)) {
            expect(TaskNotFoundException.class, call);
          } else {
            if (!model.status.isTerminal() && !model.cancelRequested) {
              model.cancelRequested = true;
              model.version++;
            }
            same(call.get(), model);
          }
        }
        case REQUIRE_INPUT -> requireInput(op, model, store);
        case PROVIDE_INPUT -> provideInput(op, model, store);
        case CLAIM -> claim(op, model, store);
        case UPDATE_BY_ID -> update(op, model, null, c -> store.update(owner, id, t -> c));
        case UPDATE_IN_HAND ->
            update(op, model, model.lastSnapshot, c -> store.update(model.lastSnapshot, c));
        case UPDATE_STALE ->
            update(op, model, model.firstSnapshot, c -> store.update(model.firstSnapshot, t -> c));
        case UPDATE_BY_VERSION -> {
          long expected = op.value() % 2 == 0 ? model.version : model.version + op.value() - 5;
          if (visible(model) && !model.status.isTerminal() && expected != model.version) {
            expect(
                TaskConflictException.class, () -> store.update(owner, id, expected, changeOf(op)));
          } else {
            update(op, model, null, c -> store.update(owner, id, expected, c));
          }
        }
        default -> throw new IllegalStateException(op.toString());
      }
    }

    /** Asks one or two questions; keys collide often. */
    private void requireInput(Op op, Model model, GenericTaskStore store) {
      Map<String, InputRequest> requests = new HashMap<>();
      for (int i = 0; i <= op.what() % 2; i++) {
        requests.put("k" + (op.value() + i) % 5, InputRequest.of("m" + op.what()));
      }
      Supplier<Task> call =
          () -> store.update(model.owner, model.id, change().requireInput(requests));
      if (!visible(model)) {
        expect(TaskNotFoundException.class, call);
      } else if (model.status.isTerminal()) {
        expect(TaskEndedException.class, call);
      } else if (!Collections.disjoint(requests.keySet(), model.questions.keySet())) {
        expect(InvalidValueException.class, call);
      } else {
        requests.forEach((key, request) -> model.questions.put(key, request.method()));
        model.status = TaskStatus.INPUT_REQUIRED;
        written(model, call.get());
      }
    }

    /** Answers one or two questions, which may be asked, answered or unknown. */
    private void provideInput(Op op, Model model, GenericTaskStore store) {
      Map<String, Object> responses = new HashMap<>();
      for (int i = 0; i <= op.what() % 2; i++) {
        responses.put("k" + (op.value() + i) % 6, (long) op.what());
      }
      Supplier<Task> call = () -> store.provideInput(model.owner, model.id, responses);
      if (!visible(model)) {
        expect(TaskNotFoundException.class, call);
      } else if (model.status.isTerminal()) {
        expect(TaskEndedException.class, call);
      } else {
        int before = model.answers.size();
        responses.forEach(
            (key, value) -> {
              if (model.questions.containsKey(key)) {
                model.answers.putIfAbsent(key, value);
              }
            });
        if (model.answers.size() == before) {
          same(call.get(), model);
        } else {
          if (model.answers.size() == model.questions.size()) {
            model.status = TaskStatus.WORKING;
          }
          written(model, call.get());
        }
      }
    }

    /** Two workers claim for a few minutes, which is about as long as the clock advances. */
    private void claim(Op op, Model model, GenericTaskStore store) {
      String worker = "w" + op.what() % 2;
      Duration lease = Duration.ofMinutes(op.value() + 1L);
      Task inHand = op.what() < 5 ? model.lastSnapshot : model.firstSnapshot;
      boolean believed = clock.instant().isBefore(inHand.expiresAt().orElseThrow());
      Supplier<Task> call = () -> store.claim(inHand, worker, lease).orElse(null);
      if (!visible(model) && !(believed && inHand.isTerminal())) {
        // The lease that an old snapshot shows may be enough to refuse without a call.
        boolean refused =
            believed
                && inHand.worker().filter(w -> !w.equals(worker)).isPresent()
                && clock.instant().isBefore(inHand.leaseUntil().orElseThrow());
        if (refused) {
          assertThat(call.get()).isNull();
        } else {
          expect(TaskNotFoundException.class, call);
        }
      } else if (model.status.isTerminal()) {
        expect(TaskEndedException.class, call);
      } else if (model.worker != null
          && !model.worker.equals(worker)
          && clock.instant().isBefore(model.leaseUntil)) {
        assertThat(call.get()).isNull();
      } else {
        model.worker = worker;
        model.leaseUntil = clock.instant().plus(lease);
        written(model, call.get());
      }
    }

    private interface Update {
      Task with(TaskChange change);
    }

    private static TaskChange changeOf(Op op) {
      String name = "v" + op.value() % 3;
      return switch (op.what()) {
        case 0 -> change().complete(Map.of("r", op.value() % 2));
        case 1 -> change().fail("broken");
        case 2 -> change().cancel().message("m" + op.value());
        case 3 -> change().remove(name);
        case 4 -> change().ttl(Duration.ofMinutes(op.value() * 7L + 1));
        case 5 -> change().progress(op.value(), 9).clearMessage();
        case 6 -> change().message("m" + op.value());
        default -> change().set(name, op.value() / 2.0).set("last", name);
      };
    }

    /**
     * Checks an update.
     *
     * @param inHand the snapshot from which the update begins; null if it begins with a read
     */
    private void update(Op op, Model model, Task inHand, Update update) {
      Supplier<Task> call = () -> update.with(changeOf(op));
      Duration ttl = Duration.ofMinutes(op.value() * 7L + 1);
      boolean badTtl = op.what() == 4 && ttl.compareTo(MAX_TTL) > 0;
      // A snapshot that is not due is believed: what it can refuse is refused without a read.
      boolean believed =
          inHand != null && clock.instant().isBefore(inHand.expiresAt().orElseThrow());
      if (believed && !inHand.isTerminal() && badTtl) {
        expect(DurationNotAllowedException.class, call);
        return;
      }
      if (!visible(model) && !(believed && inHand.isTerminal())) {
        expect(TaskNotFoundException.class, call);
        return;
      }
      Map<String, Object> result = op.what() == 0 ? Map.of("r", (long) (op.value() % 2)) : null;
      TaskStatus end =
          switch (op.what()) {
            case 0 -> TaskStatus.COMPLETED;
            case 1 -> TaskStatus.FAILED;
            case 2 -> TaskStatus.CANCELLED;
            default -> null;
          };
      if (model.status.isTerminal()) {
        boolean repeat =
            end == model.status
                && (result == null || result.equals(model.result))
                && (op.what() != 2 || ("m" + op.value()).equals(model.message));
        if (repeat) {
          assertThat(call.get().version()).isEqualTo(model.version);
        } else {
          expect(TaskEndedException.class, call);
        }
        return;
      }
      if (badTtl) {
        expect(DurationNotAllowedException.class, call);
        return;
      }
      String name = "v" + op.value() % 3;
      switch (op.what()) {
        case 0, 1 -> end(model, end, result);
        case 2 -> {
          end(model, end, null);
          model.message = "m" + op.value();
        }
        case 3 -> model.variables.remove(name);
        case 4 -> {
          model.ttl = ttl;
          model.expiresAt = model.createdAt.plus(ttl);
        }
        case 5 -> {
          model.progress = Progress.of(op.value(), 9);
          model.message = null;
        }
        case 6 -> model.message = "m" + op.value();
        default -> {
          Object number = op.value() % 2 == 0 ? (Object) (long) (op.value() / 2) : op.value() / 2.0;
          model.variables.put(name, number);
          model.variables.put("last", name);
        }
      }
      written(model, call.get());
    }

    private void end(Model model, TaskStatus status, Map<String, Object> result) {
      model.status = status;
      model.result = result;
      model.worker = null;
      model.leaseUntil = null;
      Instant kept = clock.instant().plus(KEEP);
      Instant latest = model.createdAt.plus(MAX_TTL);
      kept = kept.isAfter(latest) ? latest : kept;
      model.expiresAt = model.expiresAt.isAfter(kept) ? model.expiresAt : kept;
    }

    private void written(Model model, Task task) {
      model.version++;
      model.lastSnapshot = task;
      same(task, model);
    }

    private void check(Model model, GenericTaskStore store) {
      if (visible(model)) {
        same(store.get(model.owner, model.id), model);
      } else {
        expect(TaskNotFoundException.class, () -> store.get(model.owner, model.id));
      }
    }

    private static void same(Task task, Model model) {
      Map<String, Object> actual = new HashMap<>();
      actual.put("id", task.id());
      actual.put("owner", task.owner());
      actual.put("status", task.status());
      actual.put("version", task.version());
      actual.put("variables", task.variables().asMap());
      actual.put("message", task.message().orElse(null));
      actual.put("progress", task.progress().orElse(null));
      actual.put("result", task.result().orElse(null));
      actual.put("ttl", task.ttl().orElse(null));
      actual.put("expiresAt", task.expiresAt().orElse(null));
      actual.put("cancelRequested", task.isCancelRequested());
      actual.put("open", new TreeMap<>(task.inputRequests()).toString());
      actual.put("answers", task.inputResponses().asMap());
      actual.put("worker", task.worker().orElse(null));
      actual.put("leaseUntil", task.leaseUntil().orElse(null));
      Map<String, Object> expected = new HashMap<>();
      expected.put("id", model.id);
      expected.put("owner", model.owner);
      expected.put("status", model.status);
      expected.put("version", model.version);
      expected.put("variables", model.variables);
      expected.put("message", model.message);
      expected.put("progress", model.progress);
      expected.put("result", model.result);
      expected.put("ttl", model.ttl);
      expected.put("expiresAt", model.expiresAt);
      expected.put("cancelRequested", model.cancelRequested);
      TreeMap<String, InputRequest> open = new TreeMap<>();
      if (!model.status.isTerminal()) {
        model.questions.forEach((key, method) -> open.put(key, InputRequest.of(method)));
        open.keySet().removeAll(model.answers.keySet());
      }
      expected.put("open", open.toString());
      expected.put("answers", model.answers);
      expected.put("worker", model.worker);
      expected.put("leaseUntil", model.leaseUntil);
      assertThat(actual).isEqualTo(expected);
    }

    private static void expect(Class<? extends TaskStoreException> type, Supplier<Task> call) {
      try {
        Task task = call.get();
        throw new AssertionError("expected " + type.getSimpleName() + ", got " + task);
      } catch (TaskStoreException e) {
        assertThat(e).isExactlyInstanceOf(type);
      }
    }
  }
}
