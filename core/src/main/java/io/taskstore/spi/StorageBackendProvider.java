// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.util.List;
import java.util.Set;

/**
 * Makes backends of one kind from configuration. Implementations have a public constructor without
 * parameters and are named in {@code META-INF/services/io.taskstore.spi.StorageBackendProvider}, as
 * {@link java.util.ServiceLoader} has it. They are chosen by the scheme of the URL alone, never by
 * being there.
 *
 * <p>A provider does nothing but {@link #open} and telling what it takes: it is also made to write
 * the reference of all settings, and when another one is chosen.
 */
public interface StorageBackendProvider {
  /**
   * The schemes of the URLs for which this provider is chosen, for example {@code redis} and {@code
   * rediss}. Lower-case letters, digits, {@code +}, {@code .} and {@code -}, beginning with a
   * letter (RFC 3986, section 3.1). No two providers may have the same.
   */
  Set<String> schemes();

  /** What a URL looks like, for messages and the reference: {@code file:/var/lib/tasks}. */
  String example();

  /**
   * What can be set, apart from the URL, in the order of the reference. Names are unique among them
   * and differ from those of the options that every store has.
   */
  List<Setting<?>> settings();

  /**
   * Opens a backend. Whoever has called closes it.
   *
   * @param configuration the URL, and all settings, which were checked one by one
   * @throws IllegalArgumentException if the URL does not fit, or settings do not fit together; the
   *     message says what and why to whoever wrote the configuration, and shows no secret
   * @throws StorageException if the storage cannot be used
   */
  StorageBackend open(BackendConfiguration configuration);
}
