// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The statements as the project's document has them: {@code - **B3** text}, and for those that no
 * test covers {@code - **B8** text *Excluded: reason.*}. The document is part of the artifact, so
 * that reports can quote it.
 */
final class Statements {
  private static final String RESOURCE = "contract.md";
  private static final Pattern ITEM =
      Pattern.compile("^- \\*\\*([A-Z]\\d+)\\*\\* (.*)$", Pattern.MULTILINE);
  private static final Pattern EXCLUDED = Pattern.compile("(.*?) *\\*Excluded: (.*)\\.\\*");

  private final SortedMap<StatementId, Statement> byId;

  /**
   * One statement.
   *
   * @param excluded why no test covers it, null if tests do
   */
  record Statement(StatementId id, String text, @Nullable String excluded) {}

  private Statements(SortedMap<StatementId, Statement> byId) {
    this.byId = byId;
  }

  /** Reads the document that came with this artifact. */
  static Statements load() {
    try (InputStream in = Statements.class.getResourceAsStream(RESOURCE)) {
      if (in == null) {
        throw new IllegalStateException(
            "The contract's document is not in the artifact: " + RESOURCE);
      }
      return parse(new String(in.readAllBytes(), StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * @throws IllegalStateException if an id stands twice
   */
  static Statements parse(String document) {
    SortedMap<StatementId, Statement> found = new TreeMap<>();
    Matcher items = ITEM.matcher(document);
    while (items.find()) {
      StatementId id = StatementId.parse(items.group(1));
      Matcher excluded = EXCLUDED.matcher(items.group(2));
      Statement statement =
          excluded.matches()
              ? new Statement(id, excluded.group(1), excluded.group(2))
              : new Statement(id, items.group(2), null);
      if (found.put(id, statement) != null) {
        throw new IllegalStateException("Statement " + id + " stands twice");
      }
    }
    return new Statements(found);
  }

  Map<StatementId, Statement> byId() {
    return Collections.unmodifiableMap(byId);
  }
}
