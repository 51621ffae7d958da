// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.TaskListener;
import io.taskstore.TaskStore;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * One of the servers of a {@link Soak}: an instance of the backend, a store, and a few workers.
 * What has become of it the others learn from the storage only.
 */
final class SoakServer {
  /** With what all threads that a soak makes begin. */
  static final String THREADS = "soak-";

  static final int WORKERS = 4;

  /** Makes a store with the options of the soak. */
  @FunctionalInterface
  interface StoreMaker {
    TaskStore store(StorageBackend onto, TaskListener listener);
  }

  private final StorageBackend instance;
  private final CuttingBackend cutting;
  private final Ice ice;
  private final TaskStore store;
  private final SoakLog.Ear ear;
  private final ExecutorService workers;
  private final CountDownLatch gone = new CountDownLatch(1);

  SoakServer(StorageBackend instance, SoakLog.Ear ear, StoreMaker maker) {
    this.instance = instance;
    this.ear = ear;
    this.cutting = new CuttingBackend(instance);
    this.ice = new Ice(cutting);
    this.store = maker.store(ice, ear);
    AtomicInteger number = new AtomicInteger();
    this.workers =
        Executors.newFixedThreadPool(
            WORKERS,
            work -> {
              Thread thread = new Thread(work, THREADS + "worker-" + number.incrementAndGet());
              thread.setDaemon(true);
              return thread;
            });
  }

  StorageBackend instance() {
    return instance;
  }

  TaskStore store() {
    return store;
  }

  SoakLog.Ear ear() {
    return ear;
  }

  ExecutorService workers() {
    return workers;
  }

  /** Stands still until this server is gone, or for a while. */
  void standStill(long millis) throws InterruptedException {
    boolean unused = gone.await(millis, TimeUnit.MILLISECONDS);
  }

  /** Loses the answer of a write to come. */
  void loseAnAnswer(CuttingBackend.Fate fate) {
    cutting.cutNext(fate, () -> {});
  }

  /** The process dies: nothing that it does from now on reaches the storage. */
  void die() {
    cutting.die();
    gone.countDown();
  }

  /** The process stands still, in the middle of whatever it does. */
  void freeze() {
    ice.freeze();
  }

  /** The process goes on as if nothing had happened. */
  void thaw() {
    ice.thaw();
    gone.countDown();
  }

  /** The workers are told to stop, and give their tasks back if they can. */
  void interruptWorkers() throws InterruptedException {
    gone.countDown();
    workers.shutdownNow();
    awaitWorkers();
  }

  /** Gives everything back but the instance. */
  void close() throws InterruptedException {
    gone.countDown();
    store.close();
    workers.shutdownNow();
    awaitWorkers();
  }

  private void awaitWorkers() throws InterruptedException {
    if (!workers.awaitTermination(60, TimeUnit.SECONDS)) {
      throw new AssertionError("The workers of a server have not ended");
    }
  }

  /** Holds every call while it is frozen, before it goes out. */
  private static final class Ice extends PassingBackend {
    private volatile @Nullable CountDownLatch frozen;

    Ice(StorageBackend delegate) {
      super(delegate);
    }

    void freeze() {
      frozen = new CountDownLatch(1);
    }

    void thaw() {
      CountDownLatch latch = frozen;
      if (latch != null) {
        latch.countDown();
      }
    }

    /** A process that stands still hears of no interrupts. */
    private void await() {
      CountDownLatch latch = frozen;
      boolean interrupted = false;
      while (latch != null && latch.getCount() > 0) {
        try {
          latch.await();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }

    @Override
    public Optional<VersionedRecord> get(RecordKey key) {
      await();
      return super.get(key);
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      await();
      return super.putIfVersion(key, value, expected);
    }

    @Override
    public DeleteResult deleteIfVersion(RecordKey key, long expected) {
      await();
      return super.deleteIfVersion(key, expected);
    }

    @Override
    public RecordPage list(ListQuery query) {
      await();
      return super.list(query);
    }

    @Override
    public CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
      await();
      return super.createWithin(key, value, max, now);
    }

    @Override
    public HeadPage listActive(ListQuery query) {
      await();
      return super.listActive(query);
    }
  }
}
