// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.Arrays;

/**
 * How large the parts of a task may be. Immutable: begin with {@link #defaults()}. Sizes are bytes
 * of the stored form, which is canonical JSON in UTF-8; the length of a string is that of its
 * stored form without the quotes.
 *
 * <p>What the backend can hold is a limit of its own: where it is lower than a limit here, it
 * counts instead, an eighth of it for messages; and the parts of a task together must fit into it,
 * with room kept for the message and the error that end the task.
 */
public final class TaskLimits {
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

  private enum Limit {
    MAX_VARIABLES_BYTES("maxVariablesBytes", 1_024 * 1_024, HIGHEST_BYTES),
    MAX_VARIABLES("maxVariables", 1_000, Integer.MAX_VALUE),
    MAX_NAME_BYTES("maxNameBytes", 256, HIGHEST_NAME_BYTES),
    MAX_DEPTH("maxDepth", 10, HIGHEST_DEPTH),
    MAX_STRING_BYTES("maxStringBytes", 64 * 1_024, HIGHEST_BYTES),
    MAX_PARAMS_BYTES("maxParamsBytes", 256 * 1_024, HIGHEST_BYTES),
    MAX_RESULT_BYTES("maxResultBytes", 1_024 * 1_024, HIGHEST_BYTES),
    MAX_ERROR_DATA_BYTES("maxErrorDataBytes", 64 * 1_024, HIGHEST_BYTES),
    MAX_INPUT_BYTES("maxInputBytes", 256 * 1_024, HIGHEST_BYTES),
    MAX_MESSAGE_BYTES("maxMessageBytes", 4 * 1_024, HIGHEST_MESSAGE_BYTES);

    private final String optionName;
    private final int byDefault;
    private final int highest;

    Limit(String optionName, int byDefault, int highest) {
      this.optionName = optionName;
      this.byDefault = byDefault;
      this.highest = highest;
    }
  }

  private static final TaskLimits DEFAULTS =
      new TaskLimits(Arrays.stream(Limit.values()).mapToInt(limit -> limit.byDefault).toArray());

  /** By the order of {@link Limit}. */
  private final int[] values;

  private TaskLimits(int[] values) {
    this.values = values;
  }

  /** Returns the defaults, which each limit tells. */
  public static TaskLimits defaults() {
    return DEFAULTS;
  }

  @SuppressWarnings("EnumOrdinal") // the order is private to this class
  private int value(Limit limit) {
    return values[limit.ordinal()];
  }

  @SuppressWarnings("EnumOrdinal")
  private TaskLimits with(Limit limit, int value) {
    if (value < 1 || value > limit.highest) {
      throw new InvalidValueException(
          limit.optionName, "it is %d, it must be from 1 to %d".formatted(value, limit.highest));
    }
    int[] changed = values.clone();
    changed[limit.ordinal()] = value;
    return new TaskLimits(changed);
  }

  /** All variables together, as one JSON object. Default: 1 MiB. */
  public int maxVariablesBytes() {
    return value(Limit.MAX_VARIABLES_BYTES);
  }

  /**
   * Returns these limits with another {@link #maxVariablesBytes()}.
   *
   * @throws InvalidValueException if it is below 1 or above the highest that can be configured
   */
  public TaskLimits withMaxVariablesBytes(int maxVariablesBytes) {
    return with(Limit.MAX_VARIABLES_BYTES, maxVariablesBytes);
  }

  /** The number of variables. Default: 1,000. */
  public int maxVariables() {
    return value(Limit.MAX_VARIABLES);
  }

  /**
   * Returns these limits with another {@link #maxVariables()}.
   *
   * @throws InvalidValueException if it is below 1 or above the highest that can be configured
   */
  public TaskLimits withMaxVariables(int maxVariables) {
    return with(Limit.MAX_VARIABLES, maxVariables);
  }

  /**
   * The name of a variable or of a member of an object in any value, and the method. Default: 256
   * bytes.
   */
  public int maxNameBytes() {
    return value(Limit.MAX_NAME_BYTES);
  }

  /**
   * Returns these limits with another {@link #maxNameBytes()}.
   *
   * @throws InvalidValueException if it is below 1 or above the highest that can be configured
   */
  public TaskLimits withMaxNameBytes(int maxNameBytes) {
    return with(Limit.MAX_NAME_BYTES, maxNameBytes);
  }

  /**
   * How many lists and objects may stand within each other in a value; a plain number or string has
   * depth 0. Default: 10.
   */
  public int maxDepth() {
    return value(Limit.MAX_DEPTH);
  }

  /**
   * Returns these limits with another {@link #maxDepth()}.
   *
   * @throws InvalidValueException if it is below 1 or above the highest that can be configured
   */
  public TaskLimits withMaxDepth(int maxDepth) {
    return with(Limit.MAX_DEPTH, maxDepth);
  }

  /** A string in any value. Default: 64 KiB. */
  public int maxStringBytes() {
    return value(Limit.MAX_STRING_BYTES);
  }

  /**
   * Returns these limits with another {@link #maxStringBytes()}.
   *
   * @throws InvalidValueException if it is below 1 or above the highest that can be configured
   */
  public TaskLimits withMaxStringBytes(int maxStringBytes) {
    return with(Limit.MAX_STRING_BYTES, maxStringBytes);
  }

  /** The parameters of the request. Default: 256 KiB. */
  public int maxParamsBytes() {
    return value(Limit.MAX_PARAMS_BYTES);
  }

  /**
   * Returns these limits with another {@link #maxParamsBytes()}.
   *
   * @throws InvalidValueException if it is below 1 or above the highest that can be configured
   */
  public TaskLimits withMaxParamsBytes(int maxParamsBytes) {
    return with(Limit.MAX_PARAMS_BYTES, maxParamsBytes);
  }

  /** The result. Default: 1 MiB. */
  public int maxResultBytes() {
    return value(Limit.MAX_RESULT_BYTES);
  }

  /**
   * Returns these limits with another {@link #maxResultBytes()}.
   *
   * @throws InvalidValueException if it is below 1 or above the highest that can be configured
   */
  public TaskLimits withMaxResultBytes(int maxResultBytes) {
    return with(Limit.MAX_RESULT_BYTES, maxResultBytes);
  }

  /** The data of an error. Default: 64 KiB. */
  public int maxErrorDataBytes() {
    return value(Limit.MAX_ERROR_DATA_BYTES);
  }

  /**
   * Returns these limits with another {@link #maxErrorDataBytes()}.
   *
   * @throws InvalidValueException if it is below 1 or above the highest that can be configured
   */
  public TaskLimits withMaxErrorDataBytes(int maxErrorDataBytes) {
    return with(Limit.MAX_ERROR_DATA_BYTES, maxErrorDataBytes);
  }

  /** All questions that a task has ever asked and their answers, together. Default: 256 KiB. */
  public int maxInputBytes() {
    return value(Limit.MAX_INPUT_BYTES);
  }

  /**
   * Returns these limits with another {@link #maxInputBytes()}.
   *
   * @throws InvalidValueException if it is below 1 or above the highest that can be configured
   */
  public TaskLimits withMaxInputBytes(int maxInputBytes) {
    return with(Limit.MAX_INPUT_BYTES, maxInputBytes);
  }

  /** A status message, and the message of an error. Default: 4 KiB. */
  public int maxMessageBytes() {
    return value(Limit.MAX_MESSAGE_BYTES);
  }

  /**
   * Returns these limits with another {@link #maxMessageBytes()}.
   *
   * @throws InvalidValueException if it is below 1 or above the highest that can be configured
   */
  public TaskLimits withMaxMessageBytes(int maxMessageBytes) {
    return with(Limit.MAX_MESSAGE_BYTES, maxMessageBytes);
  }

  /** Returns these limits, none of those in bytes above what a record of a backend can hold. */
  TaskLimits cappedTo(int bytes) {
    TaskLimits capped = this;
    for (Limit limit : Limit.values()) {
      int cap =
          switch (limit) {
            case MAX_VARIABLES, MAX_DEPTH -> Integer.MAX_VALUE;
            case MAX_MESSAGE_BYTES -> bytes / 8;
            case MAX_VARIABLES_BYTES,
                MAX_NAME_BYTES,
                MAX_STRING_BYTES,
                MAX_PARAMS_BYTES,
                MAX_RESULT_BYTES,
                MAX_ERROR_DATA_BYTES,
                MAX_INPUT_BYTES ->
                bytes;
          };
      capped = capped.with(limit, Math.min(value(limit), cap));
    }
    return capped;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof TaskLimits that && Arrays.equals(values, that.values);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(values);
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder("TaskLimits[");
    for (Limit limit : Limit.values()) {
      text.append(text.charAt(text.length() - 1) == '[' ? "" : ", ");
      text.append(limit.optionName).append('=').append(value(limit));
    }
    return text.append(']').toString();
  }
}
