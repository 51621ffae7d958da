// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import io.taskstore.InvalidConfigurationException;
import java.time.Duration;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.TypeConversionException;

/**
 * What the commands have in common: a mistake of the user is answered with one line, or one for
 * each if there are several in the configuration of the store.
 */
final class Commands {
  /** The exit code of a program that was cancelled, as shells have it for Ctrl-C. */
  static final int CANCELLED = 130;

  /** Reads a number that must not be negative. */
  static final class CountConverter implements ITypeConverter<Long> {
    @Override
    public Long convert(String value) {
      try {
        long count = Long.parseLong(value);
        if (count >= 0) {
          return count;
        }
      } catch (NumberFormatException e) {
        // As below.
      }
      throw new TypeConversionException("not a number from 0 on: " + value);
    }
  }

  /** Reads a number of whole seconds, from one to a day. */
  static final class SecondsConverter implements ITypeConverter<Duration> {
    private static final long MAX = Duration.ofDays(1).toSeconds();

    @Override
    public Duration convert(String value) {
      try {
        long seconds = Long.parseLong(value);
        if (seconds >= 1 && seconds <= MAX) {
          return Duration.ofSeconds(seconds);
        }
      } catch (NumberFormatException e) {
        // As below.
      }
      throw new TypeConversionException(
          "not a number of seconds from 1 to %d: %s".formatted(MAX, value));
    }
  }

  private Commands() {}

  static CommandLine commandLine(Object command) {
    CommandLine commandLine = new CommandLine(command);
    commandLine
        .getCommandSpec()
        .addOption(
            OptionSpec.builder("-h", "--help")
                .usageHelp(true)
                .description("Print this help.")
                .build());
    return commandLine
        .setParameterExceptionHandler(
            (e, args) -> {
              CommandLine line = e.getCommandLine();
              line.getErr().println(line.getCommandName() + ": " + oneLine(e) + " (see --help)");
              return CommandLine.ExitCode.USAGE;
            })
        .setExecutionExceptionHandler(
            (e, line, parsed) -> {
              boolean isWrong = e instanceof InvalidConfigurationException;
              String message = isWrong ? lines(e) : oneLine(e);
              line.getErr().println(line.getCommandName() + ": " + message);
              return isWrong ? CommandLine.ExitCode.USAGE : CommandLine.ExitCode.SOFTWARE;
            });
  }

  private static String oneLine(Exception e) {
    return lines(e).lines().findFirst().orElse("");
  }

  /** The message; names of files and what a user has typed may have anything in them. */
  private static String lines(Exception e) {
    String message = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    return message
        .lines()
        .map(Table::printable)
        .collect(Collectors.joining(System.lineSeparator()));
  }
}
