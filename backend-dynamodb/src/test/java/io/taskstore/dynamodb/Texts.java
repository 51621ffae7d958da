// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import java.io.PrintWriter;
import java.io.StringWriter;

/** What a log would show. */
final class Texts {
  private Texts() {}

  static String withCauses(Throwable failure) {
    StringWriter text = new StringWriter();
    failure.printStackTrace(new PrintWriter(text));
    return text.toString();
  }
}
