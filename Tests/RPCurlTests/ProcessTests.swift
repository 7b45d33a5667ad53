import Glibc
import Loop
import Synchronization
import TestKit
import Testing

/// The built program, as a shell sees it.
@Suite(.timeLimit(.minutes(5))) struct ProcessTests: Sendable {
    /// rpcurl lies beside the test bundle.
    private static let program: String = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/self/exe", &buffer, buffer.count)
        let path = String(decoding: buffer[..<max(0, length)].map(UInt8.init), as: UTF8.self)
        return path.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" } + "/rpcurl"
    }()

    /// Runs a shell line in which `rpcurl` is the program.
    private func shell(_ line: String) async throws -> (output: String, code: Int32) {
        try await offThread { try Self.blocking(line) }
    }

    private static func blocking(_ line: String) throws -> (output: String, code: Int32) {
        let command = "rpcurl() { '\(Self.program)' \"$@\"; }; \(line)"
        let stream = try #require(popen("exec 2>&1; \(command)", "r"))
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&buffer, 1, buffer.count, stream), count > 0 {
            output += buffer[..<count]
        }
        return (String(decoding: output, as: UTF8.self), pclose(stream) >> 8)
    }

    @Test func exitCodes() async throws {
        var result = try await shell("rpcurl --help")
        #expect(result.code == 0 && result.output.contains("examples:"))
        result = try await shell("rpcurl")
        #expect(result.code == 2)
        result = try await shell("rpcurl 127.0.0.1:1 list")
        #expect(result.code == 1 && result.output.contains("nothing listens"))
        result = try await shell("rpcurl tap --help")
        #expect(result.code == 0 && result.output.contains("rpcurl [flags] tap LISTEN UPSTREAM"))
        result = try await shell("rpcurl -config /no/such 127.0.0.1:1 list")
        #expect(result.code == 2)
        result = try await shell("rpcurl replay /no/such 127.0.0.1:1")
        #expect(result.code == 1 && result.output.contains("cannot read /no/such"))
        result = try await shell("rpcurl 127.0.0.1:1 bench a.B/C -n 1")
        #expect(result.code == 1 && result.output.contains("nothing listens"))
    }

    @Test("the completion scripts are ones that their shells can run", arguments: ["bash", "zsh"])
    func completion(_ shell: String) async throws {
        let result = try await self.shell(
            "rpcurl completion \(shell) >/tmp/rpcurl-$$.sh && \(shell) -n /tmp/rpcurl-$$.sh; "
                + "code=$?; rm /tmp/rpcurl-$$.sh; exit $code")
        #expect(result.code == 0, "\(result.output)")
    }

    @Test("bash: completion knows the verbs and the flags of the verb") func completes()
        async throws
    {
        let script = """
            source <('\(Self.program)' completion bash)
            COMP_WORDS=(rpcurl h:1 to); COMP_CWORD=2; _rpcurl; echo "${COMPREPLY[@]}"
            COMP_WORDS=(rpcurl h:1 top -); COMP_CWORD=3; _rpcurl; echo "${COMPREPLY[@]}"
            """
        let result = try await Fixture.withFile(Array(script.utf8)) {
            try await shell("bash \($0)")
        }
        let lines = result.output.split(separator: "\n")
        #expect(lines.first == "top", "\(result.output)")
        let flags = Set(lines.last?.split(separator: " ") ?? [])
        #expect(flags.isSuperset(of: ["-interval", "-once", "-rows", "-duration", "-json"]))
        #expect(!flags.contains("-rate"))
    }

    /// Types words and a Tab into a zsh of its own, and prints what the command line became.
    private static let typist = """
        import os, pty, re, sys
        for typed in ["to", "top -onc", "doct"]:
            child, terminal = pty.fork()
            if child == 0:
                os.execvpe(
                    "zsh", ["zsh", "-d", "-i"], dict(os.environ, TERM="dumb", ZDOTDIR=sys.argv[1]))
            def read(pattern):
                text = b""
                while not re.search(pattern, text):
                    text += os.read(terminal, 4096)
                return re.search(pattern, text).group(1).decode()
            read(b"(ready> )")
            os.write(terminal, f"rpcurl h:1 {typed}\\t\\n".encode())
            print(read(b"<(h:1[^>]*)>"))
            os.kill(child, 9)
            os.waitpid(child, 0)
        """

    @Test("zsh: the script completes at the first Tab", arguments: ["sourced", "in fpath"])
    func zsh(_ way: String) async throws {
        let load = way == "sourced" ? "source $ZDOTDIR/_rpcurl" : "fpath=($ZDOTDIR $fpath)"
        let compinit = "autoload -Uz compinit && compinit -u -D"
        let script = """
            folder=$(mktemp -d)
            '\(Self.program)' completion zsh >$folder/_rpcurl
            cat >$folder/.zshrc <<'END'
            PS1='rea''dy> '
            \(way == "sourced" ? compinit + "\n" + load : load + "\n" + compinit)
            rpcurl() { print -r -- "<$*>" }
            END
            python3 - $folder <<'END'
            \(Self.typist)
            END
            rm -r $folder
            """
        let result = try await Fixture.withFile(Array(script.utf8)) {
            try await shell("bash \($0)")
        }
        #expect(result.output == "h:1 top\nh:1 top -once\nh:1 doctor\n")
    }

    @Test("Ctrl-C cancels the call: the stream is reset") func interrupt() async throws {
        try await Fixture.with { server in
            try await Fixture.withFile { go in
                // A shell gives background jobs an empty input unless it comes from elsewhere; this
                // one never ends, so only the signal can end the call.
                async let interrupted = shell(
                    """
                    mkfifo \(go).in; exec 3<>\(go).in; rm \(go).in; echo '{"n":1}' >&3
                    '\(Self.program)' \(server.address) call bench.Bench/PingPong @ <&3 & p=$!
                    until [ -s \(go) ]; do sleep 0.05; done
                    kill -INT $p; wait $p
                    """)
                let hasBegun = try await eventually { server.chats.value == 1 }
                try Self.write("now", to: go)
                let result = try await interrupted
                #expect(hasBegun)
                #expect(result.code == 65)
                #expect(result.output.contains("CANCELLED (1)"))
                // The handler hears of it after the client did.
                #expect(try await eventually { server.cancelled.value == 1 })
            }
        }
    }

    private static func write(_ text: String, to path: String) throws {
        let file = try #require(fopen(path, "w"))
        fputs(text, file)
        fclose(file)
    }
}
