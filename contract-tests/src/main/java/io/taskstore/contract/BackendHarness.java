// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.StorageBackend;
import java.io.IOException;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * Tells the contract how to open the backend under test. A harness is made once for a test class;
 * whatever is costly, such as a server, it starts once and stops in {@link #close}.
 */
public interface BackendHarness extends AutoCloseable {
  /**
   * Returns a harness for a backend that keeps its records in the object itself, so that every
   * instance is a storage of its own and "another instance" is the same object. It offers no hooks.
   *
   * @param traits what the backend is held to
   * @param newBackend opens a new, empty backend
   */
  static BackendHarness ofSingleInstances(
      BackendTraits traits, Supplier<? extends StorageBackend> newBackend) {
    Objects.requireNonNull(traits, "traits");
    Objects.requireNonNull(newBackend, "newBackend");
    return new BackendHarness() {
      @Override
      public BackendTraits traits() {
        return traits;
      }

      @Override
      public BackendStorage newStorage() {
        StorageBackend backend = newBackend.get();
        return () -> backend;
      }
    };
  }

  /**
   * What the backend is held to. It is written down here by hand, so that a backend cannot excuse
   * itself from a statement by declaring less than its users were told.
   */
  BackendTraits traits();

  /**
   * Makes a new, empty storage that shares nothing with any other: a directory, a key prefix, a
   * table. The contract closes it.
   */
  BackendStorage newStorage() throws Exception;

  /** The name of what is tested, for reports; the backend's name unless there are several ways. */
  default String name() {
    return traits().name();
  }

  /** Versions of what is tested and of the servers behind it, for reports; name to version. */
  default Map<String, String> versions() {
    return Map.of();
  }

  /** Releases what the harness itself has opened. */
  @Override
  default void close() throws IOException {}
}
