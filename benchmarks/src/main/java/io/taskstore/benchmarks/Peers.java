// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.a2a.server.tasks.InMemoryTaskStore;
import io.a2a.spec.TaskState;
import io.a2a.spec.TaskStatus;
import java.io.IOException;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import javax.sql.ConnectionPoolDataSource;
import org.bsc.langgraph4j.RunnableConfig;
import org.bsc.langgraph4j.checkpoint.BaseCheckpointSaver;
import org.bsc.langgraph4j.checkpoint.Checkpoint;
import org.bsc.langgraph4j.checkpoint.FileSystemSaver;
import org.bsc.langgraph4j.checkpoint.MemorySaver;
import org.bsc.langgraph4j.serializer.std.ObjectStreamStateSerializer;
import org.bsc.langgraph4j.state.AgentState;
import org.h2.jdbcx.JdbcConnectionPool;
import org.h2.jdbcx.JdbcDataSource;
import org.jobrunr.jobs.Job;
import org.jobrunr.jobs.JobDetails;
import org.jobrunr.jobs.JobParameter;
import org.jobrunr.jobs.mappers.JobMapper;
import org.jobrunr.jobs.states.EnqueuedState;
import org.jobrunr.jobs.states.ProcessingState;
import org.jobrunr.jobs.states.StateName;
import org.jobrunr.storage.InMemoryStorageProvider;
import org.jobrunr.storage.StorageProvider;
import org.jobrunr.storage.sql.h2.H2StorageProvider;
import org.jobrunr.storage.sql.sqlite.SqLiteStorageProvider;
import org.jobrunr.utils.mapper.jackson3.Jackson3JsonMapper;
import org.sqlite.SQLiteConfig;
import org.sqlite.javax.SQLiteConnectionPoolDataSource;

/**
 * Libraries that can keep what a handler has to tell, each through its public interface and as its
 * documentation has it, with data of the same size. None of them does all that a store does.
 */
final class Peers {
  private Peers() {}

  static List<HandlerSuite.Contender> inMemory() {
    return List.of(
        new HandlerSuite.Contender(
            "JobRunr, `InMemoryStorageProvider`",
            "owners, limits, expiry of a job by itself",
            () -> new OfJobRunr(new InMemoryStorageProvider(), () -> {})),
        new HandlerSuite.Contender(
            "A2A Java, `InMemoryTaskStore`",
            "versions, owners, limits, expiry; it keeps the object that it was given, without a copy",
            OfA2a::new),
        new HandlerSuite.Contender(
            "langgraph4j, `MemorySaver`",
            "versions to compare, owners, limits, expiry; it keeps every step, without a copy of its"
                + " values",
            () -> new OfLangGraph(new MemorySaver())));
  }

  static List<HandlerSuite.Contender> onDisk(HandlerSuite.Directories directories) {
    return List.of(
        new HandlerSuite.Contender(
            "JobRunr, SQLite with WAL, `synchronous=FULL`",
            "owners, limits, expiry of a job by itself",
            () -> onSqlite(directories)),
        new HandlerSuite.Contender(
            "JobRunr, H2, `WRITE_DELAY=0`",
            "owners, limits, expiry of a job by itself; H2 does not promise that a commit is flushed",
            () -> onH2(directories)),
        new HandlerSuite.Contender(
            "langgraph4j, `FileSystemSaver`",
            "versions to compare, owners, limits, expiry, flushes; it writes all steps again for each",
            () ->
                new OfLangGraph(
                    new FileSystemSaver(
                        directories.next(), new ObjectStreamStateSerializer<>(AgentState::new)))));
  }

  private static OfJobRunr onSqlite(HandlerSuite.Directories directories) throws IOException {
    SQLiteConfig config = new SQLiteConfig();
    config.setJournalMode(SQLiteConfig.JournalMode.WAL);
    config.setSynchronous(SQLiteConfig.SynchronousMode.FULL);
    config.setBusyTimeout(30_000);
    // or two that have read could both not begin to write
    config.setTransactionMode(SQLiteConfig.TransactionMode.IMMEDIATE);
    SQLiteConnectionPoolDataSource source = new SQLiteConnectionPoolDataSource(config);
    source.setUrl("jdbc:sqlite:" + directories.next().resolve("jobs.db"));
    JdbcConnectionPool pool = pool(source);
    return new OfJobRunr(new SqLiteStorageProvider(pool), pool::dispose);
  }

  private static OfJobRunr onH2(HandlerSuite.Directories directories) throws IOException {
    JdbcDataSource source = new JdbcDataSource();
    source.setUrl("jdbc:h2:file:" + directories.next().resolve("jobs") + ";WRITE_DELAY=0");
    JdbcConnectionPool pool = pool(source);
    return new OfJobRunr(new H2StorageProvider(pool), pool::dispose);
  }

  private static JdbcConnectionPool pool(ConnectionPoolDataSource source) {
    JdbcConnectionPool pool = JdbcConnectionPool.create(source);
    pool.setMaxConnections(Handlers.HANDLERS);
    return pool;
  }

  /** Jobs, whose metadata say how far they are. They have versions, which are compared. */
  private static final class OfJobRunr implements Handlers.Place {
    private static final UUID SERVER = UUID.randomUUID();

    private final StorageProvider provider;
    private final Runnable closing;

    OfJobRunr(StorageProvider provider, Runnable closing) {
      this.provider = provider;
      this.closing = closing;
      provider.setJobMapper(new JobMapper(new Jackson3JsonMapper()));
    }

    @Override
    public Rounds.Work handler(int number) {
      return this::handle;
    }

    private void handle() {
      Job created =
          provider.save(
              new Job(
                  new JobDetails("java.lang.System", null, "setProperty", parameters()),
                  new EnqueuedState()));
      Job job =
          new Job(
              created.getId(),
              created.getVersion(),
              created.getJobDetails(),
              List.of(created.getJobState(), new ProcessingState(SERVER, "server", Instant.now())),
              new ConcurrentHashMap<>(Handlers.VARIABLES));
      for (int report = 1; report <= Handlers.REPORTS; report++) {
        job.getMetadata().put("progress", report);
        job.getMetadata().put(Handlers.POSITION, Handlers.position(report));
        job = provider.save(job);
        for (int read = 0; read < Handlers.READS_EACH; read++) {
          Expect.that(provider.getJobById(job.getId()).getVersion() == job.getVersion());
        }
      }
      job.getMetadata().putAll(Handlers.RESULT);
      Expect.that(provider.save(job.succeeded()).hasState(StateName.SUCCEEDED));
    }

    private static List<JobParameter> parameters() {
      return List.of(
          new JobParameter(String.class, "folder"),
          new JobParameter(String.class, "/data/reports/2026"));
    }

    @Override
    public void close() {
      provider.close();
      closing.run();
    }
  }

  /** Tasks of the protocol of agents, with metadata. */
  private static final class OfA2a implements Handlers.Place {
    private final InMemoryTaskStore store = new InMemoryTaskStore();

    @Override
    public Rounds.Work handler(int number) {
      String context = "owner-" + number;
      return () -> handle(context);
    }

    private void handle(String context) {
      String id = UUID.randomUUID().toString();
      save(id, context, TaskState.TASK_STATE_SUBMITTED, Handlers.VARIABLES);
      Map<String, Object> metadata = new HashMap<>(Handlers.VARIABLES);
      for (int report = 1; report <= Handlers.REPORTS; report++) {
        metadata = new HashMap<>(metadata);
        metadata.put("progress", report);
        metadata.put(Handlers.POSITION, Handlers.position(report));
        save(id, context, TaskState.TASK_STATE_WORKING, metadata);
        for (int read = 0; read < Handlers.READS_EACH; read++) {
          Map<String, Object> seen = Objects.requireNonNull(store.get(id)).metadata();
          Expect.that(seen != null && Integer.valueOf(report).equals(seen.get("progress")));
        }
      }
      metadata = new HashMap<>(metadata);
      metadata.putAll(Handlers.RESULT);
      save(id, context, TaskState.TASK_STATE_COMPLETED, metadata);
    }

    private void save(String id, String context, TaskState state, Map<String, Object> metadata) {
      store.save(
          io.a2a.spec.Task.builder()
              .id(id)
              .contextId(context)
              .status(new TaskStatus(state))
              .metadata(metadata)
              .build(),
          false);
    }

    @Override
    public void close() {}
  }

  /** Steps of a graph, each with its state; a task is a thread of them. */
  private static final class OfLangGraph implements Handlers.Place {
    private final BaseCheckpointSaver saver;

    OfLangGraph(BaseCheckpointSaver saver) {
      this.saver = saver;
    }

    @Override
    public Rounds.Work handler(int number) {
      return this::handle;
    }

    private void handle() throws Exception {
      RunnableConfig thread =
          RunnableConfig.builder().threadId(UUID.randomUUID().toString()).build();
      save(thread, Handlers.VARIABLES);
      Map<String, Object> state = new HashMap<>(Handlers.VARIABLES);
      for (int report = 1; report <= Handlers.REPORTS; report++) {
        state = new HashMap<>(state);
        state.put("progress", report);
        state.put(Handlers.POSITION, Handlers.position(report));
        save(thread, state);
        for (int read = 0; read < Handlers.READS_EACH; read++) {
          Object progress = saver.get(thread).orElseThrow().getState().get("progress");
          Expect.that(Integer.valueOf(report).equals(progress));
        }
      }
      state = new HashMap<>(state);
      state.putAll(Handlers.RESULT);
      save(thread, state);
    }

    private void save(RunnableConfig thread, Map<String, Object> state) throws Exception {
      saver.put(
          thread,
          Checkpoint.builder().nodeId("handler").nextNodeId("handler").state(state).build());
    }

    @Override
    public void close() {}
  }
}
