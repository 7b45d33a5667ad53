import TestKit

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

func ok(_ body: String, fields: String = "") -> [ScriptedServer.Act] {
    [.send(bytes("HTTP/1.1 200 OK\r\n\(fields)content-length: \(body.utf8.count)\r\n\r\n\(body)"))]
}
