// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import java.util.logging.Level;
import java.util.logging.Logger;

/** The client's log, in which every connection that is cut is a page. */
final class ClientLog {
  /** Held here, since a level goes with its logger. */
  private static final Logger CLIENT = Logger.getLogger("io.lettuce");

  private ClientLog() {}

  static void silence() {
    CLIENT.setLevel(Level.OFF);
  }
}
