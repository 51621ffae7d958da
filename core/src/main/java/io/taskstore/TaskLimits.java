// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

/**
 * How large the parts of a task may be. Sizes are bytes of the stored form, which is canonical JSON
 * in UTF-8; the length of a string is that of its stored form without the quotes.
 *
 * <p>What the backend can hold is a limit of its own: where it is lower than a limit here, it
 * counts instead, an eighth of it for messages; and the parts of a task together must fit into it,
 * with room kept for the message and the error that end the task.
 *
 * @param maxVariablesBytes all variables together, as one JSON object
 * @param maxVariables the number of variables
 * @param maxNameBytes the name of a variable or of a member of an object in any value, and the
 *     method
 * @param maxDepth how many lists and objects may stand within each other in a value; a plain number
 *     or string has depth 0
 * @param maxStringBytes a string in any value
 * @param maxParamsBytes the parameters of the request
 * @param maxResultBytes the result
 * @param maxErrorDataBytes the data of an error
 * @param maxMessageBytes a status message, and the message of an error
 */
public record TaskLimits(
    int maxVariablesBytes,
    int maxVariables,
    int maxNameBytes,
    int maxDepth,
    int maxStringBytes,
    int maxParamsBytes,
    int maxResultBytes,
    int maxErrorDataBytes,
    int maxMessageBytes) {
  /** The highest value of {@link #maxDepth()} that can be configured. */
  public static final int HIGHEST_DEPTH = 100;

  /** The highest value of {@link #maxNameBytes()} that can be configured. */
  public static final int HIGHEST_NAME_BYTES = 4_096;

  /** The highest value of {@link #maxMessageBytes()} that can be configured. */
  public static final int HIGHEST_MESSAGE_BYTES = 64 * 1_024;

  /** The highest value of every other limit in bytes that can be configured: 64 MiB. */
  public static final int HIGHEST_BYTES = 64 * 1_024 * 1_024;

  /**
   * Not configurable: the digits of an integer. Parsing longer ones costs more than linear time.
   */
  static final int MAX_DIGITS = 1_000;

  private static final TaskLimits DEFAULTS =
      new TaskLimits(
          1_024 * 1_024,
          1_000,
          256,
          10,
          64 * 1_024,
          256 * 1_024,
          1_024 * 1_024,
          64 * 1_024,
          4 * 1_024);

  /**
   * Checks the limits.
   *
   * @throws IllegalArgumentException if one is below 1, or above the highest that can be configured
   */
  public TaskLimits {
    check("maxVariablesBytes", maxVariablesBytes, HIGHEST_BYTES);
    check("maxVariables", maxVariables, Integer.MAX_VALUE);
    check("maxNameBytes", maxNameBytes, HIGHEST_NAME_BYTES);
    check("maxDepth", maxDepth, HIGHEST_DEPTH);
    check("maxStringBytes", maxStringBytes, HIGHEST_BYTES);
    check("maxParamsBytes", maxParamsBytes, HIGHEST_BYTES);
    check("maxResultBytes", maxResultBytes, HIGHEST_BYTES);
    check("maxErrorDataBytes", maxErrorDataBytes, HIGHEST_BYTES);
    check("maxMessageBytes", maxMessageBytes, HIGHEST_MESSAGE_BYTES);
  }

  private static void check(String name, int value, int highest) {
    if (value < 1 || value > highest) {
      throw new IllegalArgumentException(
          "%s is %d, it must be from 1 to %d".formatted(name, value, highest));
    }
  }

  /**
   * Returns the defaults: variables 1 MiB and 1,000 in number, names 256 bytes, depth 10, strings
   * 64 KiB, parameters 256 KiB, result 1 MiB, error data 64 KiB, messages 4 KiB.
   */
  public static TaskLimits defaults() {
    return DEFAULTS;
  }

  /** Returns these limits with another {@link #maxVariablesBytes()}. */
  public TaskLimits withMaxVariablesBytes(int maxVariablesBytes) {
    return new TaskLimits(
        maxVariablesBytes,
        maxVariables,
        maxNameBytes,
        maxDepth,
        maxStringBytes,
        maxParamsBytes,
        maxResultBytes,
        maxErrorDataBytes,
        maxMessageBytes);
  }

  /** Returns these limits with another {@link #maxVariables()}. */
  public TaskLimits withMaxVariables(int maxVariables) {
    return new TaskLimits(
        maxVariablesBytes,
        maxVariables,
        maxNameBytes,
        maxDepth,
        maxStringBytes,
        maxParamsBytes,
        maxResultBytes,
        maxErrorDataBytes,
        maxMessageBytes);
  }

  /** Returns these limits with another {@link #maxNameBytes()}. */
  public TaskLimits withMaxNameBytes(int maxNameBytes) {
    return new TaskLimits(
        maxVariablesBytes,
        maxVariables,
        maxNameBytes,
        maxDepth,
        maxStringBytes,
        maxParamsBytes,
        maxResultBytes,
        maxErrorDataBytes,
        maxMessageBytes);
  }

  /** Returns these limits with another {@link #maxDepth()}. */
  public TaskLimits withMaxDepth(int maxDepth) {
    return new TaskLimits(
        maxVariablesBytes,
        maxVariables,
        maxNameBytes,
        maxDepth,
        maxStringBytes,
        maxParamsBytes,
        maxResultBytes,
        maxErrorDataBytes,
        maxMessageBytes);
  }

  /** Returns these limits with another {@link #maxStringBytes()}. */
  public TaskLimits withMaxStringBytes(int maxStringBytes) {
    return new TaskLimits(
        maxVariablesBytes,
        maxVariables,
        maxNameBytes,
        maxDepth,
        maxStringBytes,
        maxParamsBytes,
        maxResultBytes,
        maxErrorDataBytes,
        maxMessageBytes);
  }

  /** Returns these limits with another {@link #maxParamsBytes()}. */
  public TaskLimits withMaxParamsBytes(int maxParamsBytes) {
    return new TaskLimits(
        maxVariablesBytes,
        maxVariables,
        maxNameBytes,
        maxDepth,
        maxStringBytes,
        maxParamsBytes,
        maxResultBytes,
        maxErrorDataBytes,
        maxMessageBytes);
  }

  /** Returns these limits with another {@link #maxResultBytes()}. */
  public TaskLimits withMaxResultBytes(int maxResultBytes) {
    return new TaskLimits(
        maxVariablesBytes,
        maxVariables,
        maxNameBytes,
        maxDepth,
        maxStringBytes,
        maxParamsBytes,
        maxResultBytes,
        maxErrorDataBytes,
        maxMessageBytes);
  }

  /** Returns these limits with another {@link #maxErrorDataBytes()}. */
  public TaskLimits withMaxErrorDataBytes(int maxErrorDataBytes) {
    return new TaskLimits(
        maxVariablesBytes,
        maxVariables,
        maxNameBytes,
        maxDepth,
        maxStringBytes,
        maxParamsBytes,
        maxResultBytes,
        maxErrorDataBytes,
        maxMessageBytes);
  }

  /** Returns these limits with another {@link #maxMessageBytes()}. */
  public TaskLimits withMaxMessageBytes(int maxMessageBytes) {
    return new TaskLimits(
        maxVariablesBytes,
        maxVariables,
        maxNameBytes,
        maxDepth,
        maxStringBytes,
        maxParamsBytes,
        maxResultBytes,
        maxErrorDataBytes,
        maxMessageBytes);
  }

  /** Returns these limits, none of those in bytes above what a record of a backend can hold. */
  TaskLimits cappedTo(int bytes) {
    return new TaskLimits(
        Math.min(maxVariablesBytes, bytes),
        maxVariables,
        Math.min(maxNameBytes, bytes),
        maxDepth,
        Math.min(maxStringBytes, bytes),
        Math.min(maxParamsBytes, bytes),
        Math.min(maxResultBytes, bytes),
        Math.min(maxErrorDataBytes, bytes),
        Math.min(maxMessageBytes, bytes / 8));
  }
}
