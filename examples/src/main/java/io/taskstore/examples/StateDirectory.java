// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Where programs of a user keep what should outlive them, by the rules of each system: {@code
 * $XDG_STATE_HOME} if it is set, else {@code ~/Library/Application Support} on macOS, {@code
 * %LOCALAPPDATA%} on Windows, and {@code ~/.local/state} everywhere else.
 */
final class StateDirectory {
  static final String NAME = "taskstore-digest";

  private StateDirectory() {}

  /**
   * Returns the directory for the user who runs this process. It need not be there.
   *
   * @param environment the variables of the environment
   * @throws IllegalArgumentException if the user has no home; the message is for the user
   */
  static Path ofThisUser(Map<String, String> environment) {
    // Some containers run as a user of whom nothing is known; Java then has "?" for the home.
    return of(environment::get, System.getProperty("os.name"), System.getProperty("user.home"));
  }

  /**
   * @param environment the variables of the environment; null for those that are not set
   * @param system the name of the operating system
   */
  static Path of(UnaryOperator<@Nullable String> environment, String system, String home) {
    String name = system.toLowerCase(Locale.ROOT);
    Path state = absolute(environment.apply("XDG_STATE_HOME"));
    if (state == null && name.startsWith("windows")) {
      state = absolute(environment.apply("LOCALAPPDATA"));
    }
    if (state == null) {
      Path user = absolute(home);
      if (user == null) {
        throw new IllegalArgumentException(
            "this user has no home directory; name a directory for the tasks, as in"
                + " --store file:/var/lib/"
                + NAME);
      }
      state = user.resolve(name.startsWith("mac") ? "Library/Application Support" : ".local/state");
    }
    return state.resolve(NAME);
  }

  /** A relative path would be another directory wherever the program is started. */
  private static @Nullable Path absolute(@Nullable String path) {
    return path != null && Path.of(path).isAbsolute() ? Path.of(path) : null;
  }
}
