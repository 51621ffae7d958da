// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.spi.RecordKey;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Which records may be due in which hour, so that a purge looks at those only. A hint, never the
 * truth: the record itself is looked at under its lock. Hints are not flushed; after a start of the
 * host they are gathered again from the records.
 *
 * <p>Each line has the expiry in milliseconds, the partition and the id, the texts in hexadecimal
 * UTF-8. It begins with a line feed, so that one that was cut spoils itself only.
 */
final class DueHints {
  private static final long HOUR_MILLIS = 3_600_000;
  private static final String SUFFIX = ".txt";
  private static final String WORK_SUFFIX = ".work";
  private static final String COMPLETE = "complete-since";

  private final FileAccess files;
  private final Path directory;

  DueHints(FileAccess files, Path directory) {
    this.files = files;
    this.directory = directory;
  }

  record Hint(long expiresAt, RecordKey key) {
    Hint(RecordKey key, Instant expiresAt) {
      this(expiresAt.toEpochMilli(), key);
    }
  }

  private static String fileName(long expiresAt) {
    // Shifted, so that the names are in order before 1970 too.
    return "%016x".formatted(Math.floorDiv(expiresAt, HOUR_MILLIS) + (1L << 40)) + SUFFIX;
  }

  /** Notes when records may be due. For the holder of the hints' lock. */
  void add(List<Hint> hints) throws IOException {
    Map<String, StringBuilder> lines = new TreeMap<>();
    for (Hint hint : hints) {
      lines
          .computeIfAbsent(fileName(hint.expiresAt()), name -> new StringBuilder())
          .append('\n')
          .append(hint.expiresAt())
          .append(' ')
          .append(hex(hint.key().partition()))
          .append(' ')
          .append(hex(hint.key().id()));
    }
    for (Map.Entry<String, StringBuilder> file : lines.entrySet()) {
      files.append(
          directory.resolve(file.getKey()),
          file.getValue().toString().getBytes(StandardCharsets.US_ASCII));
    }
  }

  /**
   * Sets aside the hints of the hours up to an instant, so that others may go on adding. For the
   * holder of the hints' lock, who purges.
   *
   * @return the files that were set aside, now or by somebody who has not come to their end
   */
  List<Path> setAside(Instant now) throws IOException {
    String last = fileName(now.toEpochMilli());
    List<Path> work = new ArrayList<>();
    for (String name : files.names(directory).stream().sorted().toList()) {
      if (name.endsWith(WORK_SUFFIX)) {
        work.add(directory.resolve(name));
      } else if (name.endsWith(SUFFIX) && name.compareTo(last) <= 0) {
        Path aside = directory.resolve(name + "." + UUID.randomUUID() + WORK_SUFFIX);
        files.move(directory.resolve(name), aside);
        work.add(aside);
      }
    }
    return work;
  }

  /** What was set aside, and where each line begins. */
  record Work(List<Hint> hints, List<Integer> offsets) {}

  Work read(Path work) throws IOException {
    List<Hint> hints = new ArrayList<>();
    List<Integer> offsets = new ArrayList<>();
    byte[] content = files.read(work);
    if (content != null) {
      String text = new String(content, StandardCharsets.US_ASCII);
      int begin = 0;
      while (begin < text.length()) {
        int end = text.indexOf('\n', begin + 1);
        end = end < 0 ? text.length() : end;
        Hint hint = parse(text.substring(begin, end).strip());
        if (hint != null) {
          hints.add(hint);
          offsets.add(begin);
        }
        begin = end;
      }
    }
    return new Work(hints, offsets);
  }

  /** Drops the lines from an offset on; they have been dealt with. */
  void cut(Path work, int length) throws IOException {
    FileAccess.uninterrupted(
        () -> {
          try (FileAccess.Writer writer = files.openForWriting(work)) {
            writer.cut(length);
          }
        });
  }

  /** Drops all lines. */
  void drop(Path work) throws IOException {
    files.delete(work);
  }

  // --- after a start of the host ------------------------------------------------------------

  /** Whether all hints are there, as far as this start of the host is concerned. */
  boolean isComplete(String boot) throws IOException {
    byte[] content = files.read(directory.resolve(COMPLETE));
    return content != null && boot.equals(new String(content, StandardCharsets.US_ASCII).strip());
  }

  /** Notes that all hints are there. */
  void setComplete(String boot, Path temp) throws IOException {
    files.writeNew(temp, (boot + "\n").getBytes(StandardCharsets.US_ASCII));
    files.move(temp, directory.resolve(COMPLETE));
  }

  private static String hex(String text) {
    return HexFormat.of().formatHex(text.getBytes(StandardCharsets.UTF_8));
  }

  private static @Nullable Hint parse(String line) {
    String[] parts = line.split(" ", -1);
    if (parts.length != 3) {
      return null; // a line that was cut
    }
    try {
      return new Hint(Long.parseLong(parts[0]), new RecordKey(text(parts[1]), text(parts[2])));
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  private static String text(String hex) {
    return new String(HexFormat.of().parseHex(hex), StandardCharsets.UTF_8);
  }
}
