/* SPDX-License-Identifier: GPL-3.0-or-later */
"use strict";
/* Zoomable timelines in place of the static ones. All text goes through textContent; the numbers are in data attributes. */
(function () {
	function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
	function numbers(text, pair) {
		return text.split(pair).filter(Boolean).map(function (p) { return p.split(":").map(Number); });
	}
	function size(v) {
		var units = ["", "K", "M", "G", "T"], i = 0;
		while (Math.abs(v) >= 1024 && i < 4) { v /= 1024; i++; }
		return +v.toFixed(v < 10 ? 2 : 1) + units[i];
	}
	function read(box) {
		var rows = new Map(), names = [], classes = [], limits = [];
		box.querySelectorAll("i").forEach(function (i) {
			if (i.dataset.limit !== undefined) {
				limits.push({ name: i.dataset.name, y: +i.dataset.limit, from: +i.dataset.from, to: +i.dataset.to });
				return;
			}
			var at = names.push(i.dataset.name) - 1;
			classes.push(i.dataset["class"]);
			numbers(i.dataset.p, " ").forEach(function (p) {
				if (!rows.has(p[0])) rows.set(p[0], []);
				rows.get(p[0])[at] = p[1];
			});
		});
		var data = Array.from(rows.keys()).sort(function (a, b) { return a - b; }).map(function (x) {
			var row = [x];
			for (var k = 0; k < names.length; k++) row.push(rows.get(x)[k] === undefined ? null : rows.get(x)[k]);
			return row;
		});
		return { names: names, classes: classes, limits: limits, data: data, phases: numbers(box.dataset.phases, ","), words: Array.from(box.parentNode.querySelectorAll(".phase-name"), function (w) { return w.textContent; }),
			kills: box.dataset.kills ? box.dataset.kills.split(",").map(Number) : [], top: +box.dataset.top, end: +box.dataset.end };
	}
	function layers(d) {
		return function (ctx, area, g) {
			function x(v) { return g.toDomXCoord(v); }
			ctx.save();
			ctx.fillStyle = colour("--phase");
			d.phases.forEach(function (p, i) { if (i % 2 === 0) ctx.fillRect(x(p[0]), area.y, x(p[1]) - x(p[0]), area.h); });
			ctx.font = "12px sans-serif";
			ctx.fillStyle = colour("--quiet");
			d.phases.forEach(function (p, i) {
				var from = Math.max(x(p[0]), area.x) + 4, room = Math.min(x(p[1]), area.x + area.w) - from;
				if (d.words[i] && ctx.measureText(d.words[i]).width < room) ctx.fillText(d.words[i], from, area.y + 12);
			});
			ctx.strokeStyle = ctx.fillStyle = colour("--limit");
			d.limits.forEach(function (l) {
				var y = g.toDomYCoord(l.y), from = Math.max(x(l.from), area.x);
				ctx.setLineDash([7, 4]); ctx.lineWidth = 1.8;
				ctx.beginPath(); ctx.moveTo(from, y); ctx.lineTo(x(l.to), y); ctx.stroke();
				ctx.fillText(l.name + " " + size(l.y), from + 6, y - 5);
			});
			ctx.setLineDash([]); ctx.lineWidth = 2;
			d.kills.forEach(function (k, i) {
				ctx.beginPath(); ctx.moveTo(x(k), area.y); ctx.lineTo(x(k), area.y + area.h); ctx.stroke();
				if (!i) {
					var word = "OOM kill, " + k.toFixed(1) + " s", right = x(k) + 8 + ctx.measureText(word).width > area.x + area.w;
					ctx.textAlign = right ? "right" : "left";
					ctx.fillText(word, x(k) + (right ? -6 : 6), area.y + area.h / 2);
				}
			});
			ctx.restore();
		};
	}
	function start(box) {
		var d = read(box), now = document.createElement("p"), figure = box.parentNode;
		if (!d.data.length) return;
		now.className = "now";
		box.textContent = "";
		box.hidden = false;
		figure.classList.add("is-zoomable");
		figure.appendChild(now);
		var graph = new Dygraph(box, d.data, options());
		function options() {
			return {
				labels: ["s"].concat(d.names.map(function (n, i) { return "l" + i; })), connectSeparatedPoints: true, legend: "never",
				colors: d.classes.map(function (c) { return colour("--" + c); }), strokeWidth: 1.6, series: { l0: { strokeWidth: 2.6 } },
				labelsKMG2: true, valueRange: [0, d.top], dateWindow: [0, d.end], axisLineColor: colour("--quiet"), gridLineColor: colour("--rule"),
				axes: { y: { axisLabelWidth: 50, labelsKMG2: true, axisLabelFormatter: size }, x: { axisLabelFormatter: function (v) { return +v.toFixed(3) + " s"; } } },
				underlayCallback: layers(d),
				highlightCallback: function (e, x, points) {
					now.textContent = x.toFixed(2) + " s: " + points.filter(function (p) { return p.yval !== null && !isNaN(p.yval); })
						.map(function (p) { return d.names[+p.name.slice(1)] + " " + size(p.yval); }).join(", ");
				},
				unhighlightCallback: function () { now.textContent = ""; }
			};
		}
		matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () { graph.updateOptions(options()); });
	}
	document.querySelectorAll(".zoom").forEach(start);
	/* paper has nothing to click on; facts and plans, which fill pages, stay in the database */
	addEventListener("beforeprint", function () { document.querySelectorAll("details.paper").forEach(function (d) { d.open = true; }); });
}());
