// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.LocalDate;
import java.util.stream.Collectors;

/** Where something is measured. */
final class Machine {
  private Machine() {}

  /** Processor, system, Java and day; nothing that names the machine or its folders. */
  static String describe() throws IOException {
    Path cpuInfo = Path.of("/proc/cpuinfo");
    String architecture = System.getProperty("os.arch");
    String processor =
        processor(Files.isReadable(cpuInfo) ? Files.readString(cpuInfo) : "", architecture);
    return "%s, %d cores, %s (%s); Java %s (%s); %s UTC"
        .formatted(
            processor,
            Runtime.getRuntime().availableProcessors(),
            System.getProperty("os.name"),
            architecture,
            System.getProperty("java.version"),
            System.getProperty("java.vm.name"),
            LocalDate.now(Clock.systemUTC()));
  }

  /** How this process was started, as far as its speed depends on it. */
  static String jvmOptions() {
    return ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(argument -> argument.startsWith("-X"))
        .collect(Collectors.joining(" "));
  }

  /** The model of the processor, from the text of Linux's {@code /proc/cpuinfo}. */
  static String processor(String cpuInfo, String otherwise) {
    return cpuInfo
        .lines()
        .filter(line -> line.startsWith("model name"))
        .map(line -> line.substring(line.indexOf(':') + 1).strip())
        .filter(model -> !model.isEmpty())
        .findFirst()
        .orElse(otherwise);
  }
}
