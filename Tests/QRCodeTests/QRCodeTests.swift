import Glibc
import QRCode
import Testing

@Suite("QR codes")
struct QRCodeTests {
    @Test(
        "a reader reads what was written",
        arguments: ["j", "https://janji.example/b#" + String(repeating: "aB3-_.", count: 90)])
    func reads(text: String) throws {
        let reader = "/usr/bin/zbarimg"
        guard access(reader, X_OK) == 0 else {
            // CI has it: deploy/install.
            #expect(getenv("CI") == nil, "zbarimg is not installed")
            return
        }
        let code = try QRCode(text)
        let file = "/tmp/janji-qr-\(getpid())-\(text.utf8.count).pgm"
        defer { unlink(file) }
        try write(picture(code), to: file)
        let output = try run("\(reader) --quiet --raw -Sdisable -Sqrcode.enable \(file)")
        #expect(output == text + "\n")
    }

    @Test("the picture: a quiet zone, and as many dark modules as the code has")
    func picture() throws {
        let code = try QRCode("janji")
        #expect(code.side == 21)
        let svg = code.svg
        #expect(svg.contains("viewBox=\"0 0 29 29\""))
        var drawn = 0
        for run in svg.split(separator: "M").dropFirst() {
            guard let width = run.split(separator: "h").dropFirst().first?.prefix(while: \.isNumber)
            else { continue }
            drawn += Int(width) ?? 0
        }
        var dark = 0
        for row in 0..<21 { for column in 0..<21 where code[row, column] { dark += 1 } }
        #expect(drawn == dark + 29)
    }

    @Test("limits", arguments: ["", String(repeating: "a", count: QRCode.limit + 1)])
    func limits(text: String) {
        let failure = #expect(throws: QRCode.Failure.self) { try QRCode(text) }
        #expect(failure?.errno == ERANGE)
    }

    /// Eight pixels per module.
    private func picture(_ code: QRCode) -> [UInt8] {
        let side = (code.side + 8) * 8
        var bytes = Array("P5 \(side) \(side) 255\n".utf8)
        for y in 0..<side {
            for x in 0..<side {
                let (row, column) = (y / 8 - 4, x / 8 - 4)
                let inside = (0..<code.side).contains(row) && (0..<code.side).contains(column)
                bytes.append(inside && code[row, column] ? 0 : 255)
            }
        }
        return bytes
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    }

    private func run(_ command: String) throws -> String {
        let pipe = try #require(popen(command, "r"))
        defer { pclose(pipe) }
        var output: [UInt8] = []
        while case let byte = fgetc(pipe), byte != EOF { output.append(UInt8(byte)) }
        return String(decoding: output, as: UTF8.self)
    }
}
