// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Ends the process before or after a step, or in the middle of a write: of that, only the first
 * bytes arrive. Without a point at which to do so it takes notes of the steps.
 *
 * <p>For one thread.
 */
final class CrashFiles extends FileAccess {
  private static final int PAGE = 4_096;

  /** Those after which the disk may look different. */
  private static final Set<Step> CHANGES =
      EnumSet.of(Step.CREATE, Step.WRITE, Step.CUT, Step.MAKE_DIRECTORY, Step.MOVE, Step.DELETE);

  /** How a process dies at a step. */
  enum When {
    BEFORE,
    AFTER,
    /** In a write, when the first page has arrived; of less than that, a half. */
    AT_PAGE,
    /** In a write, when a byte of it has arrived. */
    AT_FIRST,
    AT_HALF,
    /** In a write, when all but a byte of it has arrived. */
    AT_LAST
  }

  /**
   * Where to die.
   *
   * @param step the number of a step, the first is 1
   */
  record Point(int step, When when) {}

  /** A step that was seen. */
  static final class Seen {
    private final Step step;
    private final String file;
    private boolean done;

    private Seen(Step step, String file) {
      this.step = step;
      this.file = file;
    }

    /** Whether it did not fail. */
    boolean isDone() {
      return done;
    }

    boolean isChange() {
      return CHANGES.contains(step);
    }

    boolean isWrite() {
      return step == Step.WRITE;
    }

    /** Whether it is about a file that nobody knows yet. */
    boolean isHidden() {
      return file.equals("tmp");
    }

    @Override
    public String toString() {
      return step + " of " + file;
    }
  }

  private final Path root;
  private final @Nullable Point point;
  private final List<Seen> seen = new ArrayList<>();
  private boolean armed;
  private byte[] old = {};

  CrashFiles(boolean flushes, Path root, @Nullable Point point) {
    super(flushes);
    this.root = root;
    this.point = point;
  }

  /** Begins to count. */
  void arm() {
    armed = true;
  }

  List<Seen> seen() {
    return seen;
  }

  @Override
  void before(Step step, Path path) throws IOException {
    if (!armed) {
      return;
    }
    seen.add(new Seen(step, kind(path)));
    if (isHere(When.BEFORE)) {
      die();
    }
    if (step == Step.WRITE && point != null && seen.size() == point.step()) {
      old = Files.exists(path) ? Files.readAllBytes(path) : new byte[0];
    }
  }

  @Override
  void after(Step step, Path path) throws IOException {
    if (!armed) {
      return;
    }
    seen.get(seen.size() - 1).done = true;
    if (isHere(When.AFTER)) {
      die();
    }
    if (point != null && seen.size() == point.step() && point.when() != When.BEFORE) {
      takeBack(path, point.when());
      die();
    }
  }

  private boolean isHere(When when) {
    return point != null && point.step() == seen.size() && point.when() == when;
  }

  private static void die() {
    Runtime.getRuntime().halt(137);
  }

  /** Of what was written, leaves the first part only. */
  private void takeBack(Path path, When when) throws IOException {
    byte[] now = Files.readAllBytes(path);
    int from = 0;
    while (from < old.length && from < now.length && old[from] == now[from]) {
      from++;
    }
    int to = now.length;
    while (to > from && to <= old.length && old[to - 1] == now[to - 1]) {
      to--;
    }
    int nextPage = (from / PAGE + 1) * PAGE;
    int cut =
        switch (when) {
          case AT_FIRST -> Math.min(from + 1, to);
          case AT_LAST -> Math.max(from, to - 1);
          case AT_PAGE -> nextPage < to ? nextPage : (from + to) / 2;
          default -> (from + to) / 2;
        };
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      int kept = Math.max(cut, old.length);
      file.setLength(kept);
      file.seek(cut);
      file.write(old, Math.min(cut, old.length), kept - cut);
    }
  }

  /** What a file is for, without the names that differ each time. */
  private String kind(Path path) {
    Path inside = root.relativize(path);
    String first = inside.getName(0).toString();
    if (!first.equals("p") || inside.getNameCount() < 3) {
      boolean isHints = first.equals("due") && inside.getNameCount() == 2;
      String name = isHints ? inside.getName(1).toString() : "";
      if (name.endsWith(".work")) {
        return "hints set aside";
      }
      return first.isEmpty() ? "the directory" : isHints ? "hints" : first;
    }
    String third = inside.getName(2).toString();
    return third.equals("active") || third.equals("done")
        ? third + (inside.getNameCount() == 3 ? "" : " (record or leaf)")
        : third;
  }
}
