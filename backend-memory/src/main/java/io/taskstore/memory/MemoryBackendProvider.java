// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import io.taskstore.spi.BackendConfiguration;
import io.taskstore.spi.Setting;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageBackendProvider;
import java.util.List;
import java.util.Set;

/** Opens {@code memory:} as a new, empty {@link MemoryStorageBackend}. */
public final class MemoryBackendProvider implements StorageBackendProvider {
  private static final Setting<Integer> MAX_RECORDS =
      Setting.count("maxRecords", 1, Integer.MAX_VALUE, "How many records there may be at a time.")
          .byDefault(MemoryStorageBackend.DEFAULT_MAX_RECORDS);

  private static final Setting<Long> MAX_BYTES =
      Setting.size("maxBytes", 1, 1L << 40, "How many bytes they may take together.")
          .byDefault(MemoryStorageBackend.DEFAULT_MAX_BYTES);

  private static final Setting<Long> MAX_DATA_BYTES =
      Setting.size("maxDataBytes", 1, 1L << 30, "The largest record.")
          .byDefault((long) MemoryStorageBackend.DEFAULT_MAX_DATA_BYTES);

  /** For {@link java.util.ServiceLoader}. */
  public MemoryBackendProvider() {}

  @Override
  public Set<String> schemes() {
    return Set.of("memory");
  }

  @Override
  public String example() {
    return "memory:";
  }

  @Override
  public List<Setting<?>> settings() {
    return List.of(MAX_RECORDS, MAX_BYTES, MAX_DATA_BYTES);
  }

  @Override
  public StorageBackend open(BackendConfiguration configuration) {
    if (!configuration.location().isEmpty()) {
      throw new IllegalArgumentException(
          "the url has something behind memory:, which is always a new, empty storage: write"
              + " memory:");
    }
    return MemoryStorageBackend.builder()
        .maxRecords(configuration.get(MAX_RECORDS))
        .maxBytes(configuration.get(MAX_BYTES))
        .maxDataBytes(Math.toIntExact(configuration.get(MAX_DATA_BYTES)))
        .build();
  }
}
