// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.util.Objects;

/**
 * What a backend is, the same for as long as it is open. Tests of the backend are chosen by it, and
 * what is not declared is not promised.
 *
 * @param name a short name for messages, for example {@code memory}
 * @param durable whether an acknowledged write survives the end of the process, however it ends;
 *     what it takes to survive the end of the machine is for the backend to say
 * @param shared whether other processes on the same storage see the same records
 * @param purgesItself whether expired records go by themselves; then nobody needs to call {@link
 *     StorageBackend#purgeExpired} regularly
 * @param maxDataBytes the largest {@link RecordValue#data()} that can be stored, under the longest
 *     key
 */
public record BackendTraits(
    String name, boolean durable, boolean shared, boolean purgesItself, int maxDataBytes) {
  /**
   * Checks the parts.
   *
   * @throws IllegalArgumentException if {@code name} is blank or {@code maxDataBytes} is below 1
   */
  public BackendTraits {
    Objects.requireNonNull(name, "name");
    if (name.isBlank()) {
      throw new IllegalArgumentException("The name of a backend must not be blank");
    }
    if (maxDataBytes < 1) {
      throw new IllegalArgumentException("maxDataBytes " + maxDataBytes + " is below 1");
    }
  }
}
