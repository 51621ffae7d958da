// SPDX-License-Identifier: Apache-2.0

/**
 * Durable tasks for tool handlers: {@link io.taskstore.TaskStore} and the small types around it.
 *
 * <p>A parameter that is not marked {@code @Nullable} must not be null: null is a {@link
 * java.lang.NullPointerException} that names the parameter. Everything else that can go wrong is a
 * {@link io.taskstore.TaskStoreException}, and is found before anything is written unless the
 * exception says otherwise.
 */
@NullMarked
package io.taskstore;

import org.jspecify.annotations.NullMarked;
