// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

final class ArchitectureTest {
  private final JavaClasses production =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("io.taskstore.file");

  @Test
  void dependencies_production_areTheSpiAndTheJdkOnly() {
    classes()
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "io.taskstore.file", "io.taskstore.spi", "java..", "org.jspecify.annotations")
        .check(production);
  }

  @Test
  void visibility_production_onlyTheBackendAndItsProviderArePublic() {
    classes()
        .that()
        .areTopLevelClasses()
        .and()
        .arePublic()
        .should()
        .be(FileStorageBackend.class)
        .orShould()
        .be(FileBackendProvider.class)
        .check(production);
  }
}
