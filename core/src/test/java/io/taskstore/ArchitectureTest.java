// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.methods;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noMethods;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaMethod;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import io.taskstore.spi.StorageBackend;
import java.time.Clock;
import java.time.Instant;

/** Who may know whom. */
@AnalyzeClasses(packages = "io.taskstore", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
  private static final DescribedPredicate<JavaClass> JACKSON =
      resideInAnyPackage("tools.jackson..", "com.fasterxml..");

  @ArchTest
  static final ArchRule spi_knowsNothingOfTasks =
      classes()
          .that()
          .resideInAPackage("io.taskstore.spi")
          .should()
          .onlyDependOnClassesThat(
              resideInAnyPackage("io.taskstore.spi", "java..", "org.jspecify.annotations"));

  private static final DescribedPredicate<JavaClass> THE_CACHE =
      describe(
          "are the cache of finished tasks",
          c ->
              c.getName().equals(FinishedTasks.class.getName())
                  || c.getName().startsWith(FinishedTasks.class.getName() + "$"));

  @ArchTest
  static final ArchRule core_needsJacksonAndNothingElse =
      classes()
          .that()
          .resideInAPackage("io.taskstore")
          .and(not(THE_CACHE))
          .should()
          .onlyDependOnClassesThat(
              resideInAnyPackage("io.taskstore", "io.taskstore.spi", "java..", "org.jspecify..")
                  .or(JACKSON));

  @ArchTest
  static final ArchRule cache_needsCaffeineAndNothingElse =
      classes()
          .that(THE_CACHE)
          .should()
          .onlyDependOnClassesThat(
              resideInAnyPackage(
                  "io.taskstore",
                  "io.taskstore.spi",
                  "java..",
                  "org.jspecify..",
                  "com.github.benmanes.caffeine.cache"));

  /** So Caffeine is in no public signature: the one class that knows it is not public. */
  @ArchTest
  static final ArchRule cache_isNotPublic = classes().that(THE_CACHE).should().notBePublic();

  private static final DescribedPredicate<JavaMethod> IN_PUBLIC_API =
      describe(
          "are public in a public class",
          m ->
              m.getModifiers().contains(JavaModifier.PUBLIC)
                  && m.getOwner().getModifiers().contains(JavaModifier.PUBLIC));

  private static final DescribedPredicate<JavaMethod> OF_HANDLERS =
      describe(
          "are for handlers, who never import the SPI",
          m ->
              m.getOwner().getPackageName().equals("io.taskstore")
                  && !m.getOwner().getName().startsWith(GenericTaskStore.class.getName()));

  /** Only what builds a store shows any of the SPI. */
  @ArchTest
  static final ArchRule spi_isNotInTheHandlersApi =
      noMethods()
          .that(IN_PUBLIC_API.and(OF_HANDLERS))
          .should()
          .haveRawReturnType(resideInAPackage("io.taskstore.spi"))
          .orShould()
          .haveRawParameterTypes(
              describe(
                  "any of the SPI",
                  types -> types.stream().anyMatch(resideInAPackage("io.taskstore.spi"))));

  @ArchTest
  static final ArchRule jackson_isInNoPublicSignature =
      noMethods()
          .that(IN_PUBLIC_API)
          .should()
          .haveRawReturnType(JACKSON)
          .orShould()
          .haveRawParameterTypes(
              describe("any of Jackson", types -> types.stream().anyMatch(JACKSON)));

  /**
   * Only the store and what guards its calls talk to a backend: every rule stands once. What opens
   * a store by its configuration opens and closes the backend.
   */
  @ArchTest
  static final ArchRule backend_isCalledFromTwoPlaces =
      noClasses()
          .that()
          .resideInAPackage("io.taskstore")
          .and(
              describe(
                  "are neither GenericTaskStore nor StorageCalls nor TaskStores",
                  c ->
                      !c.getName().startsWith(GenericTaskStore.class.getName())
                          && !c.getName().startsWith(StorageCalls.class.getName())
                          && !c.getName().equals(TaskStores.class.getName())))
          .should()
          .dependOnClassesThat()
          .areAssignableTo(StorageBackend.class);

  @ArchTest
  static final ArchRule classes_areFinalUnlessTheyAreMeantToBeExtended =
      classes()
          .that()
          .arePublic()
          .and()
          .areNotInterfaces()
          .and()
          .areNotEnums()
          .should()
          .haveModifier(JavaModifier.FINAL)
          .orShould()
          .haveModifier(JavaModifier.ABSTRACT);

  @ArchTest
  static final ArchRule state_isNeverStaticAndMutable =
      fields().that().areStatic().should().beFinal();

  @ArchTest
  static final ArchRule time_comesFromTheInjectedClock =
      noClasses()
          .should()
          .callMethod(Instant.class, "now")
          .orShould()
          .callMethod(System.class, "currentTimeMillis")
          .orShould()
          .callMethod(Clock.class, "systemDefaultZone");

  @ArchTest
  static final ArchRule accessors_haveNoGet =
      methods()
          .that()
          .arePublic()
          .and()
          .areDeclaredInClassesThat()
          .arePublic()
          .should()
          .haveNameNotMatching("get[A-Z].*");
}
