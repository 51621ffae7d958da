// SPDX-License-Identifier: Apache-2.0
package io.taskstore.testservers;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Runs a class where there is an engine for containers, and says why it does not elsewhere. The
 * property that is named decides: {@code testcontainers} runs the class in any case, so that it
 * fails without an engine; {@code server} does not run it.
 */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(ContainerCondition.class)
public @interface IfContainers {
  /** The name of the property. */
  String value();
}
