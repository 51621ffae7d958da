// SPDX-License-Identifier: Apache-2.0

/**
 * The service provider interface for people who write storage backends. Code that only creates and
 * updates tasks never needs it.
 *
 * <p>A backend is a dumb store of versioned records with compare-and-swap: {@link
 * io.taskstore.spi.StorageBackend}. It knows nothing about tasks, never looks into {@link
 * io.taskstore.spi.RecordValue#data()}, and never decides whether a record has expired. A parameter
 * that is not marked {@code @Nullable} must not be null; passing null is a {@link
 * java.lang.NullPointerException} that names the parameter.
 */
@NullMarked
package io.taskstore.spi;

import org.jspecify.annotations.NullMarked;
