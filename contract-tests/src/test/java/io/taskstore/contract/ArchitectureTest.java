// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

final class ArchitectureTest {
  private final JavaClasses production =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("io.taskstore.contract");

  @Test
  void dependencies_production_areCoreAndTheTestLibrariesOnly() {
    classes()
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "io.taskstore",
            "io.taskstore.contract",
            "io.taskstore.spi",
            "java..",
            "org.assertj..",
            "org.jspecify.annotations",
            "org.junit..",
            "org.opentest4j",
            "tools.jackson..")
        .check(production);
  }

  @Test
  void visibility_production_onlyWhatAuthorsOfBackendsNeedIsPublic() {
    assertThat(production.stream())
        .filteredOn(JavaClass::isTopLevelClass)
        .filteredOn(type -> type.getModifiers().contains(JavaModifier.PUBLIC))
        .extracting(JavaClass::getSimpleName)
        .containsExactlyInAnyOrder(
            "BackendHarness",
            "BackendStorage",
            "HistoryWorkload",
            "StorageBackendContract",
            "TaskStoreContract",
            "TcpProxy");
  }
}
