// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The id of a statement of the contract, such as B3.
 *
 * @param chapter the letter of its chapter
 * @param number its number within the chapter
 */
record StatementId(char chapter, int number) implements Comparable<StatementId> {
  private static final Pattern ID = Pattern.compile("([A-Z])(\\d{1,3})");
  private static final Pattern NAME = Pattern.compile("((?:[a-z]\\d{1,3}_)+)[a-zA-Z].*");
  private static final Comparator<StatementId> ORDER =
      Comparator.comparing(StatementId::chapter).thenComparing(StatementId::number);

  static StatementId parse(String text) {
    Matcher matcher = ID.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException("\"" + text + "\" is not the id of a statement, as B3 is");
    }
    return new StatementId(text.charAt(0), Integer.parseInt(matcher.group(2)));
  }

  /** The ids with which the name of a test begins: {@code f4_f11_expiry_isExact} has F4 and F11. */
  static List<StatementId> ofTest(String methodName) {
    Matcher matcher = NAME.matcher(methodName);
    List<StatementId> ids = new ArrayList<>();
    if (matcher.matches()) {
      for (String part : matcher.group(1).split("_", -1)) {
        if (!part.isEmpty()) {
          ids.add(parse(part.toUpperCase(Locale.ROOT)));
        }
      }
    }
    return ids;
  }

  @Override
  public int compareTo(StatementId other) {
    return ORDER.compare(this, other);
  }

  @Override
  public String toString() {
    return chapter + Integer.toString(number);
  }
}
