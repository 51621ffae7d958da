// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.BackendStorage;
import io.taskstore.contract.BackendStorage.FaultInjection;
import io.taskstore.contract.BackendStorage.Trouble;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Opens file backends for the contract. */
final class FileHarness implements BackendHarness {
  private static final BackendTraits TRAITS =
      new BackendTraits("file", true, true, false, FileStorageBackend.DEFAULT_MAX_DATA_BYTES);

  /** Opens a directory in another process. */
  static final class FileOpener implements BackendStorage.Opener {
    @Override
    public StorageBackend open(String location) {
      return FileStorageBackend.open(Path.of(location));
    }
  }

  @Override
  public BackendTraits traits() {
    return TRAITS;
  }

  @Override
  public BackendStorage newStorage() throws IOException {
    return new FileStorage(Files.createTempDirectory("taskstore-file"));
  }

  /** A directory, and what is wrong with it. */
  private static final class FileStorage implements BackendStorage {
    private final Path root;
    private final AtomicReference<@Nullable Trouble> trouble = new AtomicReference<>();

    private final AtomicBoolean purged = new AtomicBoolean();

    /** Records of tests may have been due for a moment, and so in the hour before this was made. */
    private final String firstHints = hintsOf(-1);

    FileStorage(Path root) {
      this.root = root;
    }

    @Override
    public StorageBackend open() {
      return open(new TroubledFiles(trouble, purged));
    }

    private StorageBackend open(FileAccess files) {
      return FileStorageBackend.builder(root).build(files);
    }

    @Override
    public Optional<FaultInjection> faultInjection() {
      return Optional.of(new Faults(root, trouble));
    }

    @Override
    public Optional<Interleaving> interleaving() {
      return Optional.of(pausePoint -> open(new PausingFiles(pausePoint)));
    }

    @Override
    public boolean reopens() {
      return true;
    }

    @Override
    public Optional<OtherProcess> otherProcess() {
      return Optional.of(new OtherProcess(FileOpener.class, root.toString()));
    }

    @Override
    public Optional<VersionSeeding> versionSeeding() {
      return Optional.of(this::seed);
    }

    @Override
    public Optional<Damage> damage() {
      return Optional.of(this::flipByte);
    }

    @Override
    public Optional<RawInspection> rawInspection() {
      return Optional.of(this::entries);
    }

    private PartitionFiles partition(String name) {
      return new PartitionFiles(new FileAccess(false), root.resolve("p"), name);
    }

    private @Nullable Path find(RecordKey key) throws IOException {
      PartitionFiles partition = partition(key.partition());
      Path active = partition.activeFile(key.id());
      Path leaf = PartitionFiles.leafOf(partition.leaves(), key.id());
      Path done = leaf == null ? active : leaf.resolve(PartitionFiles.fileName(key.id()));
      return Files.exists(active) ? active : Files.exists(done) ? done : null;
    }

    private void seed(VersionedRecord seeded) throws IOException {
      PartitionFiles partition = partition(seeded.key().partition());
      FileAccess files = new FileAccess(false);
      files.createDirectory(partition.directory);
      files.createDirectory(partition.active);
      files.createDirectory(partition.done);
      Path found = find(seeded.key());
      Path file = found == null ? partition.activeFile(seeded.key().id()) : found;
      Journal.Encoded entry = Journal.encode(seeded, "another boot", true, 0, null, 0);
      byte[] padded = Arrays.copyOf(entry.bytes(), entry.room());
      Arrays.fill(padded, entry.bytes().length, padded.length, (byte) '\n');
      Files.write(file, padded);
    }

    private void flipByte(RecordKey key) throws IOException {
      Path found = Objects.requireNonNull(find(key));
      byte[] content = Files.readAllBytes(found);
      int end = Objects.requireNonNull(Journal.read(content).last()).end();
      content[end - 2] ^= 1;
      Files.write(found, content);
    }

    private List<String> entries() throws IOException {
      try (Stream<Path> paths = Files.walk(root)) {
        return paths
            .filter(Files::isRegularFile)
            .filter(path -> !path.endsWith("partition.json") && !path.endsWith("holders"))
            .map(path -> root.relativize(path).toString())
            .filter(path -> !isHintToStay(path))
            .sorted()
            .toList();
      }
    }

    /**
     * A hint goes with the first purge when its hour has begun, whatever became of its record: so
     * it is no left-over before that hour, nor before anybody has purged. What a purge set aside
     * is.
     */
    private boolean isHintToStay(String path) {
      boolean isHint = path.startsWith("due/") && path.endsWith(".txt");
      boolean mayBeOver = path.compareTo(hintsOf(0)) <= 0;
      return isHint && (!mayBeOver || (!purged.get() && path.compareTo(firstHints) >= 0));
    }

    /** The name of the hints of an hour, counted from this one. */
    private static String hintsOf(int hours) {
      long hour = Math.floorDiv(Instant.now().toEpochMilli(), 3_600_000L) + hours;
      return "due/%016x.txt".formatted(hour + (1L << 40));
    }

    @Override
    public void close() throws IOException {
      try (Stream<Path> paths = Files.walk(root)) {
        for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
          Files.deleteIfExists(path);
        }
      }
    }
  }

  /** The troubles that a directory can have. */
  private record Faults(Path root, AtomicReference<@Nullable Trouble> trouble)
      implements FaultInjection {
    @Override
    public Set<Trouble> supported() {
      return Set.of(Trouble.READ_ONLY, Trouble.FULL);
    }

    @Override
    public String endpoint() {
      return root.toString();
    }

    @Override
    public Duration timeout() {
      return Duration.ofSeconds(5);
    }

    @Override
    public void cause(Trouble newTrouble) {
      trouble.set(newTrouble);
    }

    @Override
    public void heal() {
      trouble.set(null);
    }

    @Override
    public void disturb() {
      // Nobody does anything to a directory of which its users do not hear.
    }
  }

  /** Fails as the system would. A disk that is full still takes what has its place already. */
  private static final class TroubledFiles extends FileAccess {
    private static final Set<Step> READS =
        EnumSet.of(Step.LOCK, Step.LIST, Step.READ, Step.FLUSH, Step.FLUSH_DIRECTORY);
    private static final Set<Step> GROWTHS = EnumSet.of(Step.CREATE, Step.MAKE_DIRECTORY);

    private final AtomicReference<@Nullable Trouble> trouble;

    /** Whether the last write of a thread has failed: what takes it back needs no new room. */
    private final ThreadLocal<Boolean> refused = ThreadLocal.withInitial(() -> false);

    private final AtomicBoolean purged;

    TroubledFiles(AtomicReference<@Nullable Trouble> trouble, AtomicBoolean purged) {
      super(true);
      this.trouble = trouble;
      this.purged = purged;
    }

    @Override
    void after(Step step, Path path) {
      if (step == Step.MOVE && path.toString().endsWith(".work")) {
        purged.set(true);
      }
    }

    @Override
    void before(Step step, Path path) throws IOException {
      Trouble now = trouble.get();
      if (now == Trouble.READ_ONLY && !READS.contains(step)) {
        throw new FileSystemException(path.toString(), null, "Read-only file system");
      }
      if (now == Trouble.FULL && (GROWTHS.contains(step) || step == Step.WRITE)) {
        boolean passes = step == Step.WRITE && refused.get();
        refused.set(step == Step.WRITE && !passes);
        if (!passes) {
          throw new FileSystemException(path.toString(), null, "No space left on device");
        }
      }
    }
  }

  /**
   * Can be stopped before each step that others could see, or that looks at what others do; and, by
   * the making of a temporary file, between two locks.
   */
  private static final class PausingFiles extends FileAccess {
    private static final Set<Step> PAUSES =
        EnumSet.of(
            Step.LIST,
            Step.READ,
            Step.CREATE,
            Step.WRITE,
            Step.MAKE_DIRECTORY,
            Step.MOVE,
            Step.DELETE);

    private final Runnable pausePoint;

    PausingFiles(Runnable pausePoint) {
      super(false);
      this.pausePoint = pausePoint;
    }

    @Override
    void before(Step step, Path path) {
      boolean isPrivate = step == Step.WRITE && !path.toString().endsWith(PartitionFiles.SUFFIX);
      if (PAUSES.contains(step) && !isPrivate) {
        pausePoint.run();
      }
    }
  }
}
