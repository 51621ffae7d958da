// SPDX-License-Identifier: Apache-2.0

/**
 * Measures what the layers of TaskStore cost, each beside a raw baseline that is measured in the
 * same run. Begin with {@link io.taskstore.benchmarks.Suites}.
 */
@NullMarked
package io.taskstore.benchmarks;

import org.jspecify.annotations.NullMarked;
