// SPDX-License-Identifier: Apache-2.0
/** A storage backend in Amazon DynamoDB, for any number of processes and hosts. */
@NullMarked
package io.taskstore.dynamodb;

import org.jspecify.annotations.NullMarked;
