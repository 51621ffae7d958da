// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import io.modelcontextprotocol.json.McpJsonMapper;
import io.modelcontextprotocol.json.jackson3.JacksonMcpJsonMapper;
import io.modelcontextprotocol.spec.McpSchema.ElicitFormRequest;
import tools.jackson.databind.json.JsonMapper;

/** The JSON of MCP, on both sides. */
final class Protocol {
  private Protocol() {}

  /**
   * The SDK's mapper, with a remedy: MCP SDK 2.1.0 writes the mode of an elicitation twice, which
   * Jackson from 3.2 on refuses.
   */
  static McpJsonMapper json() {
    return new JacksonMcpJsonMapper(
        JsonMapper.builder().addMixIn(ElicitFormRequest.class, ModeOnce.class).build());
  }

  @JsonIgnoreProperties(value = "mode", ignoreUnknown = true)
  private interface ModeOnce {}
}
