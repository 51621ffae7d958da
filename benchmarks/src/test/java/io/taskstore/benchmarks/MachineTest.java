// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MachineTest {
  @Test
  void processor_isTheFirstModel_orTheArchitecture() {
    assertThat(
            Machine.processor("processor\t: 0\nmodel name\t: Fast: One\nmodel name\t: Two\n", "x"))
        .isEqualTo("Fast: One");
    assertThat(Machine.processor("processor\t: 0\nmodel name\t:\n", "riscv64"))
        .isEqualTo("riscv64");
    assertThat(Machine.processor("", "aarch64")).isEqualTo("aarch64");
  }
}
