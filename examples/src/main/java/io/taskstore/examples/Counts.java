// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

/**
 * Totals of any number of files.
 *
 * @param files how many there are
 * @param lines newlines, as {@code wc -l} counts them
 * @param words words, as {@code LC_ALL=C wc -w} counts them, see {@link FileDigest}
 * @param bytes their size
 */
record Counts(long files, long lines, long words, long bytes) {
  static final Counts NONE = new Counts(0, 0, 0, 0);

  Counts plus(FileDigest file) {
    return new Counts(files + 1, lines + file.lines(), words + file.words(), bytes + file.bytes());
  }

  Counts plus(Counts other) {
    return new Counts(
        files + other.files, lines + other.lines, words + other.words, bytes + other.bytes);
  }
}
