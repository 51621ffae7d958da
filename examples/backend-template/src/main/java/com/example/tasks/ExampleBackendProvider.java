package com.example.tasks;

import io.taskstore.spi.BackendConfiguration;
import io.taskstore.spi.Setting;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageBackendProvider;
import java.util.List;
import java.util.Set;

/** Opens {@code example:location} as an {@link ExampleStorageBackend}. */
public final class ExampleBackendProvider implements StorageBackendProvider {
  /** For {@link java.util.ServiceLoader}. */
  public ExampleBackendProvider() {}

  @Override
  public Set<String> schemes() {
    return Set.of("example");
  }

  @Override
  public String example() {
    return "example:location";
  }

  @Override
  public List<Setting<?>> settings() {
    return List.of();
  }

  @Override
  public StorageBackend open(BackendConfiguration configuration) {
    return new ExampleStorageBackend(configuration.location());
  }
}
