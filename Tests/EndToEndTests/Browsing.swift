import Foundation
import TestKit
import Testing

extension EndToEnd {
    /// A running system, and a browser to look at it with.
    struct Browsing {
        let stage: Stage
        let driver: WebDriver

        /// Runs `body` with a browser, where there is one; ends every window.
        static func of(
            _ mode: SystemUnderTest.Mode, _ body: (Browsing) async throws -> Void
        ) async throws {
            guard WebDriver.isInstalled else {
                let _: Int? = try PeerPrograms.skip(
                    "browser", "chromium and chromedriver are missing")
                return
            }
            let stage = try await Stage.shared(mode)
            let driver = try await WebDriver(folder: stage.system.folder)
            do {
                try await body(Browsing(stage: stage, driver: driver))
            } catch {
                await driver.stop()
                throw error
            }
            await driver.stop()
        }

        /// A new window on a page that shows `awaited` and follows live.
        func page(_ path: String, _ awaited: String) async throws -> BrowserWindow {
            let window = try await driver.window()
            try await window.open("http://127.0.0.1:\(stage.system.port)\(path)")
            try await window.wait(awaited)
            try await window.wait("#live-state[data-state=live]")
            return window
        }

        /// A new window on the admin's console, signed in.
        /// - Parameter wrongly: whether a wrong password is tried first; only so many may be.
        func admin(wrongly: Bool = false) async throws -> BrowserWindow {
            let window = try await driver.window()
            try await window.open("http://127.0.0.1:\(stage.system.port)/admin")
            try await window.wait("#login-form")
            try await window.type(stage.system.adminEmail, into: "#email")
            if wrongly {
                try await window.type("wrong", into: "#password")
                try await window.click("#login-submit")
                try await window.wait("#login-error")
            }
            try await window.type(stage.system.adminPassword, into: "#password")
            try await window.click("#login-submit")
            try await window.wait("#workspace")
            try await window.wait("#live-state[data-state=live]")
            return window
        }

        static func slot(_ id: String) -> String {
            "[data-testid=slot][data-slot-id='\(id)']"
        }
    }
}
